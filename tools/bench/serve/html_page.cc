// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/html_page.h"

#include "absl/strings/str_cat.h"

namespace engram::bench {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;"
    "color:#222;background:#fff}h1{font-size:1.4rem;margin:0}p{color:#555;margin:.2rem 0 1rem}"
    ".tables{display:flex;flex-wrap:wrap;gap:0 3rem;align-items:flex-start}"
    "table{border-collapse:collapse;margin:0 0 1.5rem;font-variant-numeric:tabular-nums}"
    "td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}"
    "th{font-weight:600;color:#555}td:first-child,th:first-child{text-align:left;padding-left:0}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));"
    "gap:1.5rem}"
    "svg{width:100%;height:auto;font:12px system-ui,sans-serif;fill:#222}"
    ".title{font-size:14px;font-weight:600}.tick{fill:#666}"
    ".grid{stroke:#e4e4e4;stroke-width:1;fill:none}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}p,th{color:#aaa}"
    "svg{fill:#ddd}.tick{fill:#999}.grid{stroke:#333}td,th{border-color:#333}}";

}  // namespace

std::string HtmlPage(const std::string& title, const std::string& subtitle,
                     const std::string& body) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
      EscapeMarkup(title), "</title>\n<style>", kStyle, "</style></head><body>\n<h1>",
      EscapeMarkup(title), "</h1>\n<p>", EscapeMarkup(subtitle), "</p>\n", body,
      "</body></html>\n");
}

std::string ChartGrid(const std::vector<Chart>& charts) {
  std::string out = "<div class=\"charts\">\n";
  for (const Chart& chart : charts) out += SvgChart(chart);
  return out + "</div>\n";
}

std::string TableRow(const std::string& name, const std::vector<std::string>& values) {
  std::string out = absl::StrCat("<tr><td>", EscapeMarkup(name), "</td>");
  for (const std::string& value : values) {
    absl::StrAppend(&out, "<td>", EscapeMarkup(value), "</td>");
  }
  return out + "</tr>\n";
}

std::string TableHead(const std::vector<std::string>& names) {
  std::string out = "<tr>";
  for (const std::string& name : names) {
    absl::StrAppend(&out, "<th>", EscapeMarkup(name), "</th>");
  }
  return out + "</tr>\n";
}

}  // namespace engram::bench
