// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/shard_index.h"

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "config/limits.h"
#include "nlohmann/json.hpp"

namespace engram {
namespace {

using nlohmann::json;

// A name in the checkpoint's own directory: no separators, not hidden, not "..".
bool IsShardName(std::string_view name) {
  return name.ends_with(".safetensors") && !name.starts_with('.') &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

// Takes "weight_map" in as events (so that a tensor named twice is seen) and passes over the rest.
class IndexReader final : public nlohmann::json_sax<json> {
 public:
  ShardIndex& index() { return index_; }
  const std::string& error() const { return error_; }
  bool found() const { return found_; }

  bool start_object(std::size_t) override { return Enter(); }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return Fail("the file is no JSON object");
    if (in_map_) return NotAName();
    return Enter();
  }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }

  bool key(std::string& name) override {
    if (depth_ == 1 && name == "weight_map" && std::exchange(found_, true)) {
      return Fail("it has the key 'weight_map' twice");
    }
    if (depth_ == 1) in_map_ = name == "weight_map";
    key_ = name;
    return true;
  }

  bool string(std::string& file) override {
    if (!in_map_) return true;
    if (depth_ != 2) return NotAName();
    if (!IsShardName(file)) {
      return Fail(
          absl::StrCat("tensor '", key_, "' is said to be in '", file,
                       "'; expected the plain name of a .safetensors file beside the index"));
    }
    if (index_.size() >= limits::kTensorsMax) {
      return Fail(absl::StrCat("more than ", limits::kTensorsMax, " tensors"));
    }
    if (!index_.emplace(key_, file).second) {
      return Fail(absl::StrCat("it names tensor '", key_, "' twice"));
    }
    return true;
  }

  bool null() override { return Other(); }
  bool boolean(bool) override { return Other(); }
  bool number_integer(number_integer_t) override { return Other(); }
  bool number_unsigned(number_unsigned_t) override { return Other(); }
  bool number_float(number_float_t, const string_t&) override { return Other(); }
  bool binary(binary_t&) override { return Other(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("the file is no valid JSON (at byte ", position, ")"));
  }

 private:
  bool Fail(std::string error) {
    error_ = std::move(error);
    return false;
  }
  bool NotAName() {
    return Fail(absl::StrCat("weight_map has something else than a file name at '", key_, "'"));
  }
  bool Other() { return in_map_ ? NotAName() : true; }

  bool Enter() {
    if (in_map_ && depth_ != 1) return NotAName();
    if (++depth_ > limits::kJsonDepthMax) {
      return Fail(absl::StrCat("it nests deeper than ", limits::kJsonDepthMax, " levels"));
    }
    return true;
  }
  bool Leave() {
    if (--depth_ == 1) in_map_ = false;
    return true;
  }

  ShardIndex index_;
  std::string key_;  // the last one
  std::string error_;
  int depth_ = 0;
  bool in_map_ = false;  // inside the value of weight_map
  bool found_ = false;
};

}  // namespace

absl::StatusOr<ShardIndex> ParseShardIndex(std::string_view text) {
  IndexReader reader;
  if (!json::sax_parse(text.begin(), text.end(), &reader)) {
    return absl::InvalidArgumentError(reader.error());
  }
  if (!reader.found() || reader.index().empty()) {
    return absl::InvalidArgumentError("it has no 'weight_map' with tensors");
  }
  return std::move(reader.index());
}

}  // namespace engram
