// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/safetensors.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "config/limits.h"
#include "nlohmann/json.hpp"

namespace engram {
namespace {

using nlohmann::json;

constexpr std::size_t kLengthBytes = 8;

struct DTypeSpelling {
  std::string_view name;
  DType dtype;
};

constexpr DTypeSpelling kDTypes[] = {
    {"F32", DType::kF32},        {"BF16", DType::kBF16},    {"F16", DType::kF16},
    {"F8_E4M3", DType::kF8E4M3}, {"F8_E8M0", DType::kE8M0}, {"I32", DType::kI32},
    {"I64", DType::kI64},        {"U8", DType::kU8},        {"I8", DType::kI8},
};

// What the header says of one tensor; absent = not said (yet).
struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<std::int64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;  // begin and end in the data
};

// Takes the header in as events, so that duplicate keys are seen and nothing nests deeper than the
// format does. Where a callback returns false the parse ends and error() says why.
class HeaderReader final : public nlohmann::json_sax<json> {
 public:
  std::vector<Entry>& entries() { return entries_; }
  const std::string& error() const { return error_; }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kOutside:
        place_ = Place::kTop;
        return true;
      case Place::kTop:
        place_ = key_ == "__metadata__" ? Place::kMetadata : Place::kTensor;
        keys_.clear();
        if (place_ == Place::kTensor) entries_.emplace_back().name = key_;
        return true;
      default:
        return Unexpected("an object");
    }
  }

  bool key(std::string& name) override {
    const bool top = place_ == Place::kTop;
    if (!(top ? names_ : keys_).insert(name).second) {
      return Fail(top ? absl::StrCat("the header names '", name, "' twice")
                      : absl::StrCat("'", key_, "' has the key '", name, "' twice"));
    }
    if (top && entries_.size() >= limits::kTensorsMax) {
      return Fail(absl::StrCat("more than ", limits::kTensorsMax, " tensors"));
    }
    if (place_ == Place::kTensor && name != "dtype" && name != "shape" && name != "data_offsets") {
      return Fail(absl::StrCat("tensor '", key_, "' has the unknown key '", name,
                               "'; known are dtype, shape and data_offsets"));
    }
    (top ? key_ : field_) = name;
    return true;
  }

  bool end_object() override {
    place_ = place_ == Place::kTop ? Place::kOutside : Place::kTop;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::kTensor || field_ == "dtype") return Unexpected("a list");
    if (field_ == "shape") entries_.back().shape.emplace();
    if (field_ == "data_offsets") entries_.back().offsets.emplace();
    place_ = Place::kList;
    return true;
  }

  bool end_array() override {
    place_ = Place::kTensor;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kList) return Unexpected("a number");
    Entry& entry = entries_.back();
    if (field_ == "data_offsets") {
      if (entry.offsets->size() == 2) return Unexpected("a third number");
      entry.offsets->push_back(value);
      return true;
    }
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return Fail(absl::StrCat("tensor '", key_, "': dimension ", value, " is too large"));
    }
    if (entry.shape->size() >= limits::kTensorDimensionsMax) {
      return Fail(absl::StrCat("tensor '", key_, "' has more than ", limits::kTensorDimensionsMax,
                               " dimensions"));
    }
    entry.shape->push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) return true;
    if (place_ != Place::kTensor || field_ != "dtype") return Unexpected("a string");
    for (const auto& [name, dtype] : kDTypes) {
      if (value == name) entries_.back().dtype = dtype;
    }
    if (entries_.back().dtype.has_value()) return true;
    return Fail(
        absl::StrCat("tensor '", key_, "' has the dtype '", value,
                     "', which this version cannot read; known are F32, BF16, F16, F8_E4M3, "
                     "F8_E8M0, I32, I64, U8 and I8"));
  }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a truth value"); }
  bool number_integer(number_integer_t value) override {
    return Unexpected(absl::StrCat("the negative number ", value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return Unexpected(absl::StrCat("the number ", text));
  }
  bool binary(binary_t&) override { return Unexpected("binary data"); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("the header is no valid JSON (at its byte ", position, ")"));
  }

 private:
  enum class Place { kOutside, kTop, kMetadata, kTensor, kList };

  bool Fail(std::string error) {
    error_ = std::move(error);
    return false;
  }

  bool Unexpected(std::string_view what) {
    const std::string_view where = place_ == Place::kTop ? std::string_view() : field_;
    return Fail(absl::StrCat("unexpected ", std::string(what), " in the header, at '", key_,
                             where.empty() ? "'" : "', '", std::string(where),
                             where.empty() ? "" : "'"));
  }

  Place place_ = Place::kOutside;
  std::vector<Entry> entries_;
  absl::flat_hash_set<std::string> names_;  // keys of the header
  absl::flat_hash_set<std::string> keys_;   // keys of the object in it that is being read
  std::string key_;                         // the last of names_
  std::string field_;                       // the last of keys_
  std::string error_;
};

// product(shape) · DTypeBytes, or nothing if it does not fit. A zero dimension makes it zero
// whatever the others are.
std::optional<std::uint64_t> ByteCount(std::span<const std::int64_t> shape, DType dtype) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::uint64_t bytes = DTypeBytes(dtype);
  for (const std::int64_t dimension : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(dimension), &bytes)) {
      return std::nullopt;
    }
  }
  return bytes;
}

// The header's JSON text and the bytes after it.
struct FileParts {
  std::string_view header;
  std::span<const std::byte> data;
};

absl::StatusOr<FileParts> SplitFile(std::span<const std::byte> file) {
  if (file.size() < kLengthBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected at least 8 bytes of header length, found ", file.size(),
                     " bytes; is this a safetensors file?"));
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
  }
  if (length > limits::kSafetensorsHeaderBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a header of ", length, " bytes; at most ",
                                                   limits::kSafetensorsHeaderBytesMax,
                                                   " are allowed: is this a safetensors file?"));
  }
  if (length > file.size() - kLengthBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("truncated: the header should have ", length, " bytes, the file has only ",
                     file.size() - kLengthBytes, " after its length"));
  }
  const auto rest = file.subspan(kLengthBytes);
  const std::string_view header(reinterpret_cast<const char*>(rest.data()), length);
  if (header.empty() || header.front() != '{') {
    return absl::InvalidArgumentError("the header does not begin with '{'");
  }
  return FileParts{header, rest.subspan(length)};
}

absl::StatusOr<SafetensorsTensor> BuildTensor(Entry entry, const FileParts& parts) {
  const auto fail = [&entry](const auto&... message) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", entry.name, "'", message...));
  };
  if (!entry.dtype.has_value()) return fail(" has no dtype");
  if (!entry.shape.has_value()) return fail(" has no shape");
  if (!entry.offsets.has_value() || entry.offsets->size() != 2) {
    return fail(" has no data_offsets of two numbers");
  }
  const std::uint64_t begin = (*entry.offsets)[0];
  const std::uint64_t end = (*entry.offsets)[1];
  if (begin > end) return fail(" ends before it begins: data_offsets [", begin, ", ", end, "]");
  if (end > parts.data.size()) {
    return fail(" ends at byte ", end, " of the data, but the file has only ", parts.data.size(),
                ": it is truncated");
  }
  const std::optional<std::uint64_t> bytes = ByteCount(*entry.shape, *entry.dtype);
  if (!bytes.has_value()) {
    return fail(": the byte count of shape ", ShapeToString(*entry.shape), " overflows 64 bits");
  }
  if (*bytes != end - begin) {
    return fail(": shape ", ShapeToString(*entry.shape), " needs ", *bytes,
                " bytes, data_offsets give ", end - begin);
  }
  const std::size_t in_file = kLengthBytes + parts.header.size() + begin;
  if (in_file % DTypeBytes(*entry.dtype) != 0) {
    return fail(" begins at byte ", in_file, " of the file, which is no multiple of its element's ",
                DTypeBytes(*entry.dtype), " bytes; save the file again with a current safetensors");
  }
  return SafetensorsTensor{.name = std::move(entry.name),
                           .dtype = *entry.dtype,
                           .shape = *std::move(entry.shape),
                           .bytes = parts.data.subspan(begin, end - begin)};
}

// In file order, each must begin where the one before ends, the first at 0 and the last end at the
// file's end. (The same rule finds overlaps, gaps and surplus bytes.)
absl::Status CheckCoverage(std::span<const SafetensorsTensor> tensors,
                           std::span<const std::byte> data) {
  std::size_t covered = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    const auto begin = static_cast<std::size_t>(tensor.bytes.data() - data.data());
    if (begin != covered) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", tensor.name, "' begins at byte ", begin,
                       " of the data, but the ", "tensors before it end at ", covered,
                       begin < covered ? ": they overlap" : ": there is a gap"));
    }
    covered += tensor.bytes.size();
  }
  if (covered != data.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        data.size() - covered, " surplus bytes after the last tensor: the tensors take ", covered,
        " bytes of data, the file has ", data.size()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SafetensorsTensor>> ParseSafetensors(std::span<const std::byte> file) {
  ASSIGN_OR_RETURN(const FileParts parts, SplitFile(file));
  HeaderReader reader;
  if (!json::sax_parse(parts.header.begin(), parts.header.end(), &reader)) {
    return absl::InvalidArgumentError(reader.error());
  }
  std::vector<SafetensorsTensor> tensors;
  tensors.reserve(reader.entries().size());
  for (Entry& entry : reader.entries()) {
    ASSIGN_OR_RETURN(SafetensorsTensor tensor, BuildTensor(std::move(entry), parts));
    tensors.push_back(std::move(tensor));
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  RETURN_IF_ERROR(CheckCoverage(tensors, parts.data));
  return tensors;
}

std::string ShapeToString(std::span<const std::int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace engram
