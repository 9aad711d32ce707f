// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/compare.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace engram::bench {
namespace {

using Json = nlohmann::ordered_json;

bool IsSetting(const std::string& key) {
  for (const char* setting :
       {"endpoint_type", "backend", "model_id", "tokenizer_id", "num_prompts", "request_rate",
        "burstiness", "max_concurrency", "dataset_name", "seed", "total_input_tokens"}) {
    if (key == setting) return true;
  }
  return false;
}

std::string Change(double a, double b) {
  if (a == 0) return b == 0 ? "0.0 %" : "—";
  return absl::StrFormat("%+.1f %%", (b - a) / a * 100);
}

}  // namespace

Comparison CompareResults(const Json& a, const Json& b) {
  Comparison out;
  for (const auto& [key, value] : a.items()) {
    const auto other = b.find(key);
    if (other == b.end()) continue;
    if (IsSetting(key)) {
      if (value != *other) out.differences.push_back({key, value.dump(), other->dump()});
    } else if (value.is_number() && other->is_number()) {
      const double from = value.get<double>();
      const double to = other->get<double>();
      out.numbers.push_back({key, from, to, Change(from, to)});
    }
  }
  return out;
}

std::string ComparisonText(const Comparison& comparison) {
  std::string out = absl::StrFormat("%-36s %14s %14s %10s\n", "", "A", "B", "change");
  for (const ComparedNumber& number : comparison.numbers) {
    absl::StrAppendFormat(&out, "%-36s %14.2f %14.2f %10s\n", number.key, number.a, number.b,
                          number.change);
  }
  if (!comparison.differences.empty()) out += "Not the same load:\n";
  for (const ComparedSetting& setting : comparison.differences) {
    absl::StrAppend(&out, "  ", setting.key, ": ", setting.a, " / ", setting.b, "\n");
  }
  return out;
}

absl::StatusOr<Json> ReadResult(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot read"));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Json whole = Json::parse(text, nullptr, false);
  if (whole.is_object()) return whole;
  const std::size_t end = text.find_last_not_of('\n');
  const std::size_t line = end == std::string::npos ? 0 : text.rfind('\n', end) + 1;
  Json last = Json::parse(text.substr(line), nullptr, false);
  if (last.is_object()) return last;
  return absl::InvalidArgumentError(absl::StrCat(path, ": no JSON object"));
}

}  // namespace engram::bench
