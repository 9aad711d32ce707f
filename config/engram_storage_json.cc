// SPDX-License-Identifier: Apache-2.0
#include "config/engram_storage_json.h"

#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/limits.h"
#include "config/nearest_name.h"
#include "config/option_value.h"
#include "config/read_file.h"
#include "config/strict_json.h"
#include "nlohmann/json.hpp"

namespace engram {
namespace {

using Json = nlohmann::ordered_json;

// In the order of the enumerators.
std::vector<std::string> Placements() { return {"auto", "ram", "mmap", "nvme"}; }
std::vector<std::string> PageWords() { return {"auto", "off", "require"}; }

// "auto" stands for 0.
template <typename T, typename Parse>
absl::Status SetOrAuto(const std::string& text, T* value, Parse parse) {
  *value = 0;
  if (text == "auto") return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::int64_t parsed, parse(text));
  *value = static_cast<T>(parsed);
  return absl::OkStatus();
}

struct Key {
  std::string name;
  std::function<absl::Status(const std::string& text, EngramStorageOptions* options)> set;
  std::function<std::string(const EngramStorageOptions& options)> show;
};

std::vector<Key> Keys() {
  using Options = EngramStorageOptions;
  const auto bytes = [](const std::string& text) {
    return ParseBytes(text, 0, limits::kCacheBytesMax);
  };
  const auto threads = [](const std::string& text) {
    return ParseInteger(text, 1, limits::kThreadsMax);
  };
  return {
      {"placement",
       [](const std::string& text, Options* options) {
         ASSIGN_OR_RETURN(const int index, ParseChoice(text, Placements()));
         options->placement = static_cast<EngramPlacement>(index);
         return absl::OkStatus();
       },
       [](const Options& options) { return Placements()[static_cast<int>(options.placement)]; }},
      {"ram_budget",
       [=](const std::string& text, Options* options) {
         return SetOrAuto(text, &options->ram_budget_bytes, bytes);
       },
       [](const Options& options) {
         return options.ram_budget_bytes == 0 ? "auto" : ShowBytes(options.ram_budget_bytes);
       }},
      {"threads",
       [=](const std::string& text, Options* options) {
         return SetOrAuto(text, &options->threads, threads);
       },
       [](const Options& options) {
         return options.threads == 0 ? "auto" : absl::StrCat(options.threads);
       }},
      {"queue_depth",
       [](const std::string& text, Options* options) {
         ASSIGN_OR_RETURN(options->queue_depth, ParseInteger(text, 1, limits::kQueueDepthMax));
         return absl::OkStatus();
       },
       [](const Options& options) { return absl::StrCat(options.queue_depth); }},
      {"cache_bytes",
       [=](const std::string& text, Options* options) {
         ASSIGN_OR_RETURN(options->cache_bytes, bytes(text));
         return absl::OkStatus();
       },
       [](const Options& options) { return ShowBytes(options.cache_bytes); }},
      {"huge_pages",
       [](const std::string& text, Options* options) {
         ASSIGN_OR_RETURN(const int index, ParseChoice(text, PageWords()));
         options->huge_pages = static_cast<HugePages>(index);
         return absl::OkStatus();
       },
       [](const Options& options) { return PageWords()[static_cast<int>(options.huge_pages)]; }},
      {"keeper",
       [](const std::string& text, Options* options) {
         options->keeper = text;
         return absl::OkStatus();
       },
       [](const Options& options) { return options.keeper; }},
  };
}

absl::Status UnknownKey(const std::string& name, const std::vector<Key>& keys) {
  std::vector<std::string> names;
  for (const Key& key : keys) names.push_back(key.name);
  std::string message = absl::StrCat("unknown key \"", name, "\"");
  if (const auto nearest = NearestName(name, names); nearest.has_value()) {
    absl::StrAppend(&message, "; did you mean \"", *nearest, "\"?");
  }
  return absl::InvalidArgumentError(message);
}

absl::Status Apply(const JsonMember& member, EngramStorageOptions* options) {
  const std::string& name = member.key;
  const std::vector<Key> keys = Keys();
  for (const Key& key : keys) {
    if (key.name != name) continue;
    const Json value = Json::parse(member.value);
    if (!value.is_string() && !value.is_number()) {
      return absl::InvalidArgumentError(
          absl::StrCat("key \"", name, "\": ", value.dump(), " is not a string or a number"));
    }
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    const absl::Status status = key.set(text, options);
    if (status.ok()) return status;
    return absl::InvalidArgumentError(absl::StrCat("key \"", name, "\": ", Message(status)));
  }
  return UnknownKey(name, keys);
}

}  // namespace

absl::StatusOr<EngramStorageOptions> ParseEngramStorage(std::string_view text) {
  std::string json(text);
  if (text.starts_with('@')) {
    const std::string path(text.substr(1));
    ASSIGN_OR_RETURN(json, ReadSmallFile(path, limits::kConfigFileBytesMax));
  }
  ASSIGN_OR_RETURN(const std::vector<JsonMember> members, ParseStrictObject(json));
  EngramStorageOptions options;
  for (const JsonMember& member : members) RETURN_IF_ERROR(Apply(member, &options));
  return options;
}

std::string ShowEngramStorage(const EngramStorageOptions& options) {
  Json object = Json::object();
  for (const Key& key : Keys()) {
    const std::string text = key.show(options);
    const Json number = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    object[key.name] = number.is_number() ? number : Json(text);
  }
  return object.dump();
}

}  // namespace engram
