// SPDX-License-Identifier: Apache-2.0
#include "server/http/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace engram {
namespace {

void Append(std::string* out, const char* name, const char* kind, const char* help, double value) {
  char line[512];
  std::snprintf(line, sizeof line, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, kind,
                name, value);
  out->append(line);
}

// The fields of /proc/self/stat from the third on; the second, the name, may contain anything.
std::vector<double> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(text.substr(name_end + 2));
  std::string state;
  rest >> state;
  std::vector<double> fields = {0};  // the state is no number
  for (double field = 0; rest >> field;) fields.push_back(field);
  return fields;
}

double BootTime() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    if (word != "btime") continue;
    double seconds = 0;
    file >> seconds;
    return seconds;
  }
  return 0;
}

}  // namespace

std::string RenderProcessMetrics() {
  std::string out;
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  // Positions of proc(5), counted from the third field.
  constexpr std::size_t kUserTime = 11, kSystemTime = 12, kStartTime = 19, kVirtual = 20,
                        kPages = 21;
  if (const auto stat = StatFields(); stat.size() > kPages) {
    Append(&out, "process_cpu_seconds_total", "counter", "Total user and system CPU time.",
           (stat[kUserTime] + stat[kSystemTime]) / ticks);
    Append(&out, "process_start_time_seconds", "gauge", "Start of the process since the epoch.",
           BootTime() + stat[kStartTime] / ticks);
    Append(&out, "process_virtual_memory_bytes", "gauge", "Virtual memory size.", stat[kVirtual]);
    Append(&out, "process_resident_memory_bytes", "gauge", "Resident memory size.",
           stat[kPages] * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  std::error_code error;
  const std::filesystem::directory_iterator fds("/proc/self/fd", error);
  if (!error) {
    Append(&out, "process_open_fds", "gauge", "Open file descriptors.",
           static_cast<double>(std::distance(begin(fds), end(fds))));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    Append(&out, "process_max_fds", "gauge", "Limit of open file descriptors.",
           static_cast<double>(limit.rlim_cur));
  }
  return out;
}

}  // namespace engram
