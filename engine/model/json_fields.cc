// SPDX-License-Identifier: Apache-2.0
#include "engine/model/json_fields.h"

#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "config/limits.h"
#include "nlohmann/json.hpp"

namespace engram {
namespace {

using nlohmann::json;

// Sees what a parsed document no longer shows: keys that came twice, and depth.
class StructureCheck {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (depth > limits::kJsonDepthMax) {
      error_ = absl::StrCat("nests deeper than ", limits::kJsonDepthMax, " levels");
    }
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end) keys_.pop_back();
    if (event == json::parse_event_t::key &&
        !keys_.back().insert(parsed.get_ref<const std::string&>()).second) {
      error_ = absl::StrCat("has the key '", parsed.get_ref<const std::string&>(), "' twice");
    }
    return error_.empty();  // false drops the part
  }
  const std::string& error() const { return error_; }

 private:
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
  std::string error_;
};

// A JSON value for a message, cut where it gets long.
std::string Show(const json& value) {
  constexpr std::size_t kLengthMax = 60;
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kLengthMax) text = text.substr(0, kLengthMax) + "...";
  return text;
}

}  // namespace

struct JsonFields::Impl {
  struct State {
    std::string file;
    json document;
    absl::Status status;
  };

  struct Found {
    std::string key;  // as spelled, with the prefix
    const json* value = nullptr;
  };

  void Fail(std::string_view key, std::string_view message) {
    if (!state->status.ok()) return;
    state->status = absl::InvalidArgumentError(
        absl::StrCat(state->file, ": ", ToAbsl(key), " ", ToAbsl(message)));
  }

  // The value that goes by one of `names`; null is as good as absent.
  std::optional<Found> Find(Names names) {
    std::optional<Found> found;
    for (const std::string_view name : names) {
      const auto value = node->find(name);
      if (value == node->end() || value->is_null()) continue;
      Found here{prefix + std::string(name), &*value};
      if (!found.has_value()) {
        found = std::move(here);
      } else if (*found->value != *here.value) {
        Fail(here.key, absl::StrCat("is ", Show(*here.value), " but ", found->key, " is ",
                                    Show(*found->value), "; they mean the same: give one of them"));
      }
    }
    return found;
  }

  std::optional<Found> Require(Names names) {
    std::optional<Found> found = Find(names);
    if (!found.has_value()) Fail(prefix + std::string(*names.begin()), "is missing");
    return found;
  }

  void FailType(const Found& found, std::string_view expected) {
    Fail(found.key, absl::StrCat("is ", Show(*found.value), "; expected ", std::string(expected)));
  }

  std::int64_t ReadInt(const Found& found, IntRange range) {
    const json& value = *found.value;
    if (!value.is_number_integer()) {
      FailType(found, "an integer");
      return range.min;
    }
    // An unsigned value above int64 is out of every range.
    const bool huge = value.is_number_unsigned() &&
                      value.get<std::uint64_t>() >
                          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (huge || value.get<std::int64_t>() < range.min || value.get<std::int64_t>() > range.max) {
      FailType(found, absl::StrCat("an integer from ", range.min, " to ", range.max));
      return range.min;
    }
    return value.get<std::int64_t>();
  }

  double ReadNumber(const Found& found, NumberRange range) {
    const double value = found.value->is_number() ? found.value->get<double>() : std::nan("");
    if (range.above_min ? value > range.min && value <= range.max
                        : value >= range.min && value <= range.max) {
      return value;
    }
    FailType(found, absl::StrCat("a number ", range.above_min ? "above " : "from ", range.min,
                                 range.above_min ? " and up to " : " to ", range.max));
    return range.max;
  }

  std::vector<std::int64_t> ReadList(const Found& found, IntRange each, std::size_t count_max) {
    if (!found.value->is_array()) {
      FailType(found, "a list of integers");
      return {};
    }
    if (found.value->size() > count_max) {
      Fail(found.key, absl::StrCat("has ", found.value->size(), " entries; at most ", count_max,
                                   " are allowed"));
      return {};
    }
    std::vector<std::int64_t> out;
    for (std::size_t i = 0; i < found.value->size(); ++i) {
      out.push_back(ReadInt({absl::StrCat(found.key, "[", i, "]"), &(*found.value)[i]}, each));
    }
    return out;
  }

  std::shared_ptr<State> state;  // owners: the objects of one file
  const json* node = nullptr;    // an object in state->document
  std::string prefix;            // "rope_scaling." or nothing
};

absl::StatusOr<JsonFields> JsonFields::Parse(std::string_view file, std::string_view text) {
  const auto fail = [&](std::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(file), ": ", ToAbsl(what)));
  };
  StructureCheck check;
  auto state = std::make_shared<Impl::State>();
  state->file = std::string(file);
  state->document =
      json::parse(text.begin(), text.end(), std::ref(check), /*allow_exceptions=*/false);
  if (!check.error().empty()) return fail("the file " + check.error());
  if (state->document.is_discarded()) return fail("the file is no valid JSON");
  if (!state->document.is_object()) return fail("the file is no JSON object");
  auto impl = std::make_shared<Impl>();
  impl->node = &state->document;
  impl->state = std::move(state);
  return JsonFields(std::move(impl));
}

absl::Status JsonFields::status() const { return impl_->state->status; }

void JsonFields::Fail(std::string_view key, std::string_view message) {
  impl_->Fail(impl_->prefix + std::string(key), message);
}

bool JsonFields::Has(Names names) { return impl_->Find(names).has_value(); }

std::int64_t JsonFields::Int(Names names, IntRange range) {
  const auto found = impl_->Require(names);
  return found.has_value() ? impl_->ReadInt(*found, range) : range.min;
}

double JsonFields::Number(Names names, NumberRange range) {
  const auto found = impl_->Require(names);
  return found.has_value() ? impl_->ReadNumber(*found, range) : range.max;
}

std::string JsonFields::String(Names names) {
  if (!impl_->Require(names).has_value()) return "";
  return OptionalString(names).value_or("");
}

std::vector<std::int64_t> JsonFields::IntList(Names names, IntRange each, std::size_t count_max) {
  const auto found = impl_->Require(names);
  if (!found.has_value()) return {};
  return impl_->ReadList(*found, each, count_max);
}

std::optional<std::int64_t> JsonFields::OptionalInt(Names names, IntRange range) {
  const auto found = impl_->Find(names);
  if (!found.has_value()) return std::nullopt;
  return impl_->ReadInt(*found, range);
}

std::optional<double> JsonFields::OptionalNumber(Names names, NumberRange range) {
  const auto found = impl_->Find(names);
  if (!found.has_value()) return std::nullopt;
  return impl_->ReadNumber(*found, range);
}

std::optional<bool> JsonFields::OptionalBool(Names names) {
  const auto found = impl_->Find(names);
  if (!found.has_value()) return std::nullopt;
  if (found->value->is_boolean()) return found->value->get<bool>();
  impl_->FailType(*found, "true or false");
  return std::nullopt;
}

std::optional<std::string> JsonFields::OptionalString(Names names) {
  const auto found = impl_->Find(names);
  if (!found.has_value()) return std::nullopt;
  if (found->value->is_string()) return found->value->get<std::string>();
  impl_->FailType(*found, "a string");
  return std::nullopt;
}

std::vector<std::int64_t> JsonFields::IntOrList(Names names, IntRange each, std::size_t count_max) {
  const auto found = impl_->Find(names);
  if (!found.has_value()) return {};
  if (found->value->is_array()) return impl_->ReadList(*found, each, count_max);
  return {impl_->ReadInt(*found, each)};
}

JsonFields JsonFields::Object(std::string_view name) {
  auto impl = std::make_shared<Impl>(*impl_);
  impl->prefix += std::string(name) + ".";
  const auto found = impl_->Require({name});
  if (found.has_value() && found->value->is_object()) {
    impl->node = found->value;
  } else if (found.has_value()) {
    impl_->FailType(*found, "an object");
  }
  return JsonFields(std::move(impl));
}

}  // namespace engram
