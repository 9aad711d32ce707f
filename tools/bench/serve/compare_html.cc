// SPDX-License-Identifier: Apache-2.0
// The HTML form of a comparison.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/bench/serve/compare.h"
#include "tools/bench/serve/curves.h"
#include "tools/bench/serve/html_page.h"

namespace engram::bench {
namespace {

using Json = nlohmann::ordered_json;
using Curve = ChartLine (*)(const Json& result, const std::string& name);

Chart Overlay(const std::string& title, const std::string& unit, const NamedResult& a,
              const NamedResult& b, Curve curve) {
  return {.title = title, .x_label = "s", .y_label = unit,
          .lines = {curve(a.json, "A"), curve(b.json, "B")}, .steps = true};
}

Chart LatencyOverlay(const std::string& title, const std::string& metric, const NamedResult& a,
                     const NamedResult& b) {
  return {.title = title, .x_label = "within … ms", .y_label = "%",
          .lines = {LatencyCurve(a.json, metric, "A"), LatencyCurve(b.json, metric, "B")}};
}

std::string NumbersTable(const Comparison& comparison) {
  std::string out = "<table>\n" + TableHead({"", "A", "B", "change"});
  for (const ComparedNumber& number : comparison.numbers) {
    out += TableRow(number.key, {absl::StrFormat("%.2f", number.a),
                                 absl::StrFormat("%.2f", number.b), number.change});
  }
  return out + "</table>\n";
}

std::string DifferencesTable(const Comparison& comparison) {
  if (comparison.differences.empty()) return "";
  std::string out = "<table>\n" + TableHead({"Not the same load", "A", "B"});
  for (const ComparedSetting& setting : comparison.differences) {
    out += TableRow(setting.key, {setting.a, setting.b});
  }
  return out + "</table>\n";
}

}  // namespace

std::string ComparisonHtml(const NamedResult& a, const NamedResult& b) {
  const Comparison comparison = CompareResults(a.json, b.json);
  const std::string charts =
      ChartGrid({LatencyOverlay("TTFT: requests that had their first token", "ttft", a, b),
                 LatencyOverlay("E2EL: requests that were complete", "e2el", a, b),
                 LatencyOverlay("ITL: gaps between tokens", "itl", a, b),
                 LatencyOverlay("TPOT: mean gap of a request", "tpot", a, b),
                 Overlay("Output tokens in each second", "tok/s", a, b, ThroughputCurve),
                 Overlay("Requests under way (client)", "", a, b, OpenCurve),
                 Overlay("Requests waiting (server)", "", a, b, WaitingCurve)});
  const std::string tables = absl::StrCat("<div class=\"tables\">\n", NumbersTable(comparison),
                                          DifferencesTable(comparison), "</div>\n");
  return HtmlPage("Two runs compared", absl::StrCat("A: ", a.name, " · B: ", b.name),
                  absl::StrCat(charts, tables));
}

}  // namespace engram::bench
