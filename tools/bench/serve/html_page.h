// SPDX-License-Identifier: Apache-2.0
// The frame of every HTML report: one file that loads nothing, readable on paper, on a phone and in
// the dark.
#pragma once

#include <string>
#include <vector>

#include "tools/bench/serve/svg_chart.h"

namespace engram::bench {

// `title` and `subtitle` are text, `body` is markup.
std::string HtmlPage(const std::string& title, const std::string& subtitle,
                     const std::string& body);

// Side by side where there is room.
std::string ChartGrid(const std::vector<Chart>& charts);

// A table row of a name and its values, all of them text.
std::string TableRow(const std::string& name, const std::vector<std::string>& values);
std::string TableHead(const std::vector<std::string>& names);

}  // namespace engram::bench
