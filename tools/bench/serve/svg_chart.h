// SPDX-License-Identifier: Apache-2.0
// Line charts as SVG text: axes with round numbers, a legend, nothing else.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace engram::bench {

struct ChartLine {
  std::string name;  // "": not in the legend
  std::vector<std::pair<double, double>> points;  // x ascending
};

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<ChartLine> lines;  // at most 5
  bool steps = false;            // hold each value until the next point
};

// The axes begin at zero. A chart without points says so.
std::string SvgChart(const Chart& chart);

// Text safe within HTML and SVG.
std::string EscapeMarkup(const std::string& text);

}  // namespace engram::bench
