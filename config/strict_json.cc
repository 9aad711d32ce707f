// SPDX-License-Identifier: Apache-2.0
#include "config/strict_json.h"

#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace engram {

using Json = nlohmann::ordered_json;

absl::StatusOr<std::vector<JsonMember>> ParseStrictObject(std::string_view text) {
  std::set<std::string> keys;
  std::optional<std::string> repeated;
  const auto on_event = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key && depth == 1) {
      if (!keys.insert(value.get<std::string>()).second) repeated = value.get<std::string>();
    }
    return true;
  };
  Json json;
  try {
    json = Json::parse(text.begin(), text.end(), on_event, /*allow_exceptions=*/true,
                       /*ignore_comments=*/true);
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not JSON: ", error.what()));
  }
  if (!json.is_object()) return absl::InvalidArgumentError("not a JSON object");
  if (repeated.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("key \"", *repeated, "\" appears twice"));
  }
  std::vector<JsonMember> members;
  for (const auto& [key, value] : json.items())
    members.push_back({.key = key, .value = value.dump()});
  return members;
}

}  // namespace engram
