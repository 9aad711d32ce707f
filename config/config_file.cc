// SPDX-License-Identifier: Apache-2.0
#include "config/config_file.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"
#include "config/nearest_name.h"
#include "config/option_table.h"
#include "config/read_file.h"
#include "config/strict_json.h"
#include "nlohmann/json.hpp"

namespace engram {
namespace {

using Json = nlohmann::ordered_json;

bool KindFits(OptionKind kind, const Json& value) {
  switch (kind) {
    case OptionKind::kBool:
      return value.is_boolean();
    case OptionKind::kNumber:
      return value.is_number() || value.is_string();
    case OptionKind::kText:
      return value.is_string();
    case OptionKind::kObject:
      return value.is_object() || value.is_string();
    case OptionKind::kList:
      break;
  }
  if (value.is_string()) return true;
  if (!value.is_array() || value.empty()) return false;
  for (const Json& item : value) {
    if (!item.is_string()) return false;
  }
  return true;
}

const char* KindName(OptionKind kind) {
  switch (kind) {
    case OptionKind::kBool:
      return "true or false";
    case OptionKind::kNumber:
      return "a number";
    case OptionKind::kText:
      return "a string";
    case OptionKind::kObject:
      return "an object";
    case OptionKind::kList:
      break;
  }
  return "a string or an array of strings";
}

std::string ToText(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

absl::Status ApplyValue(const OptionSpec& option, const Json& value, Config* config) {
  if (!KindFits(option.kind, value)) {
    return absl::InvalidArgumentError(absl::StrCat("key \"", option.name, "\": ", value.dump(),
                                                   " is not ", KindName(option.kind)));
  }
  std::vector<std::string> texts;
  if (value.is_array()) {
    for (const Json& item : value) texts.push_back(ToText(item));
  } else {
    texts.push_back(ToText(value));
  }
  if (const absl::Status status = option.set(texts, config); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("key \"", option.name, "\": ", Message(status)));
  }
  return absl::OkStatus();
}

absl::Status UnknownKey(const std::string& key, const std::vector<OptionSpec>& options) {
  std::vector<std::string> names;
  for (const OptionSpec& option : options) names.push_back(option.name);
  std::string message = absl::StrCat("unknown key \"", key, "\"");
  if (const auto nearest = NearestName(key, names); nearest.has_value()) {
    absl::StrAppend(&message, "; did you mean \"", *nearest, "\"?");
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace

absl::Status ApplyConfigJson(std::string_view json, Config* config) {
  ASSIGN_OR_RETURN(const std::vector<JsonMember> members, ParseStrictObject(json));
  const std::vector<OptionSpec> options = AllOptions();
  for (const auto& [key, value] : members) {
    const OptionSpec* found = nullptr;
    for (const OptionSpec& option : options) {
      if (option.name == key) found = &option;
    }
    if (found == nullptr) return UnknownKey(key, options);
    RETURN_IF_ERROR(ApplyValue(*found, Json::parse(value), config));
  }
  return absl::OkStatus();
}

absl::Status ApplyConfigFile(const std::string& path, Config* config) {
  ASSIGN_OR_RETURN(const std::string json, ReadSmallFile(path, limits::kConfigFileBytesMax));
  if (const absl::Status status = ApplyConfigJson(json, config); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", Message(status)));
  }
  return absl::OkStatus();
}

std::string ConfigToJson(const Config& config) {
  Json object = Json::object();
  for (const OptionSpec& option : AllOptions()) {
    const std::vector<std::string> texts = option.show(config);
    if (option.kind == OptionKind::kList) {
      if (!texts.empty()) object[option.name] = texts;
    } else if (option.kind == OptionKind::kText) {
      object[option.name] = texts.front();
    } else {
      // true, false, numbers and objects as themselves; "auto" and "512MiB" as strings.
      const Json parsed = Json::parse(texts.front(), nullptr, /*allow_exceptions=*/false);
      object[option.name] = parsed.is_discarded() ? Json(texts.front()) : parsed;
    }
  }
  return object.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace engram
