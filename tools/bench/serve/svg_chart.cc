// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace engram::bench {
namespace {

// Pixels.
constexpr double kWidth = 560, kHeight = 300;
constexpr double kLeft = 64, kRight = 16, kTop = 40, kBottom = 48;
// Told apart also by the colour-blind (Okabe and Ito).
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"};
constexpr int kTicks = 5;
constexpr double kCharacterWidth = 7;  // of most; the legend only needs to keep apart

struct Scale {
  double x_max = 0;
  double y_max = 0;
  double X(double x) const { return kLeft + x / x_max * (kWidth - kLeft - kRight); }
  double Y(double y) const { return kHeight - kBottom - y / y_max * (kHeight - kTop - kBottom); }
};

// 1, 2 or 5 times a power of ten, so that about kTicks of them reach `highest`.
double TickStep(double highest) {
  const double raw = highest / kTicks;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

// `kind`: a class of the page's style, "" for plain.
std::string Text(double x, double y, const char* anchor, const std::string& text,
                 const char* kind = "") {
  return absl::StrFormat(
      "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", kind, x, y, anchor,
      EscapeMarkup(text));
}

std::string Grid(const Scale& scale) {
  std::string out;
  const double x_step = TickStep(scale.x_max);
  for (int i = 0; i * x_step <= scale.x_max * 1.0001; ++i) {
    const double x = scale.X(i * x_step);
    out += absl::StrFormat("<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, kTop,
                           kHeight - kBottom);
    out += Text(x, kHeight - kBottom + 16, "middle", absl::StrCat(i * x_step), "tick");
  }
  const double y_step = TickStep(scale.y_max);
  for (int i = 0; i * y_step <= scale.y_max * 1.0001; ++i) {
    const double y = scale.Y(i * y_step);
    out += absl::StrFormat("<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", kLeft, y,
                           kWidth - kRight);
    out += Text(kLeft - 6, y + 4, "end", absl::StrCat(i * y_step), "tick");
  }
  return out;
}

std::string Path(const ChartLine& line, const Scale& scale, bool steps, const char* colour) {
  std::string d;
  for (const auto& [x, y] : line.points) {
    const char* move = d.empty() ? "M" : "L";
    if (steps && !d.empty()) absl::StrAppendFormat(&d, "H%.1f", scale.X(x));
    absl::StrAppendFormat(&d, "%s%.1f %.1f", move, scale.X(x), scale.Y(y));
  }
  return absl::StrFormat("<path fill=\"none\" stroke-width=\"1.6\" stroke=\"%s\" d=\"%s\"/>\n",
                         colour, d);
}

const char* Colour(std::size_t line) { return kColours[line % std::size(kColours)]; }

// Of the lines that have a name, in a row under the title.
std::string Legend(const std::vector<ChartLine>& lines) {
  std::string out;
  double x = kLeft;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].name.empty()) continue;
    const std::string name = lines[i].name + (lines[i].points.empty() ? " (no data)" : "");
    absl::StrAppendFormat(&out, "<path stroke=\"%s\" stroke-width=\"3\" d=\"M%.0f 28h16\"/>\n",
                          Colour(i), x);
    out += Text(x + 22, 32, "start", name);
    x += 44 + kCharacterWidth * static_cast<double>(name.size());
  }
  return out;
}

}  // namespace

std::string EscapeMarkup(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string SvgChart(const Chart& chart) {
  Scale scale;
  for (const ChartLine& line : chart.lines) {
    for (const auto& [x, y] : line.points) {
      scale.x_max = std::max(scale.x_max, x);
      scale.y_max = std::max(scale.y_max, y);
    }
  }
  std::string out =
      absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n", kWidth, kHeight);
  absl::StrAppend(&out, "<title>", EscapeMarkup(chart.title), "</title>\n");
  out += Text(0, 16, "start", chart.title, "title");
  if (scale.x_max <= 0) {
    return out + Text(kWidth / 2, kHeight / 2, "middle", "no data") + "</svg>\n";
  }
  if (scale.y_max <= 0) scale.y_max = 1;
  // Up to a round number, so that the highest line of the grid has one.
  const double y_step = TickStep(scale.y_max);
  scale.y_max = std::ceil(scale.y_max / y_step) * y_step;
  out += Grid(scale);
  out += Text((kLeft + kWidth - kRight) / 2, kHeight - 12, "middle", chart.x_label, "tick");
  out += Text(kLeft - 6, kTop - 8, "end", chart.y_label, "tick");
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    out += Path(chart.lines[i], scale, chart.steps, Colour(i));
  }
  return out + Legend(chart.lines) + "</svg>\n";
}

}  // namespace engram::bench
