// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/model/other_tables.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "gtest/gtest.h"
#include "kernels/dtype.h"
#include "nlohmann/json.hpp"
#include "tests/testing/tensors.h"

namespace engram::testing_support {
namespace {

constexpr std::int64_t kF8Block = 32;

// Every code that is a number.
std::uint8_t F8Code(std::int64_t row, std::int64_t i) {
  const auto code = static_cast<std::uint8_t>(row * 31 + i * 7);
  return (code & 0x7f) == 0x7f ? 0x01 : code;
}
// Scales that bring the largest value, 448, to the size of an activation.
std::uint8_t F8Scale(std::int64_t row, std::int64_t block) {
  return static_cast<std::uint8_t>(114 + (row + block) % 7);
}

std::int8_t I8Code(std::int64_t row, std::int64_t i) {
  return static_cast<std::int8_t>(row * 37 + i * 11);
}
float I8Scale(std::int64_t row) { return 0.001f + 0.0003f * static_cast<float>(row % 7); }

// [rows, cols] of value(row, col).
template <typename Value>
TensorToWrite Tensor2D(std::string name, DType dtype, std::int64_t rows, std::int64_t cols,
                       const Value& value) {
  TensorToWrite tensor = {.name = std::move(name), .dtype = dtype, .shape = {rows, cols}};
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      const auto element = value(row, col);
      CHECK_EQ(sizeof(element), DTypeBytes(dtype));
      const std::size_t at = tensor.bytes.size();
      tensor.bytes.resize(at + sizeof(element));
      std::memcpy(tensor.bytes.data() + at, &element, sizeof(element));
    }
  }
  return tensor;
}

bool IsScale(const TensorToWrite& tensor) { return tensor.name.ends_with("engram.embed.scale"); }

// Everything in the directory's files, with other tables.
std::vector<TensorToWrite> TensorsOf(const std::string& source, const MakeTable& make) {
  std::vector<TensorToWrite> tensors;
  for (const auto& entry : std::filesystem::directory_iterator(source)) {
    const std::string file = entry.path().filename().string();
    if (!file.starts_with("model") || !file.ends_with(".safetensors")) continue;
    const TensorFile shard = TensorFile::Load(entry.path().string());
    for (const std::string& name : shard.Names()) {
      const SafetensorsTensor& raw = shard.Raw(name);
      constexpr std::string_view kWeight = "weight";
      if (name.ends_with("engram.embed.weight")) {
        const std::string prefix = name.substr(0, name.size() - kWeight.size());
        for (TensorToWrite& made : make(prefix, raw.shape[0], raw.shape[1])) {
          tensors.push_back(std::move(made));
        }
      } else {
        tensors.push_back({.name = name,
                           .dtype = raw.dtype,
                           .shape = raw.shape,
                           .bytes = {raw.bytes.begin(), raw.bytes.end()}});
      }
    }
  }
  std::ranges::stable_sort(tensors, std::ranges::greater(),
                           [](const TensorToWrite& t) { return DTypeBytes(t.dtype); });
  return tensors;
}

}  // namespace

std::vector<TensorToWrite> F8Table(const std::string& prefix, std::int64_t rows,
                                   std::int64_t head_dim) {
  const std::int64_t blocks = (head_dim + kF8Block - 1) / kF8Block;
  return {Tensor2D(prefix + "weight", DType::kF8E4M3, rows, head_dim, F8Code),
          Tensor2D(prefix + "scale", DType::kE8M0, rows, blocks, F8Scale)};
}

std::vector<TensorToWrite> F8TableAsBF16(const std::string& prefix, std::int64_t rows,
                                         std::int64_t head_dim) {
  const auto product = [](std::int64_t row, std::int64_t i) {
    const float exact = F8E4M3ToF32(F8Code(row, i)) * E8M0ToF32(F8Scale(row, i / kF8Block));
    const std::uint16_t rounded = F32ToBF16(exact);
    CHECK_EQ(BF16ToF32(rounded), exact);
    return rounded;
  };
  return {Tensor2D(prefix + "weight", DType::kBF16, rows, head_dim, product)};
}

std::vector<TensorToWrite> I8Table(const std::string& prefix, std::int64_t rows,
                                   std::int64_t head_dim) {
  return {Tensor2D(prefix + "weight", DType::kI8, rows, head_dim, I8Code),
          Tensor2D(prefix + "scale", DType::kF32, rows, 1,
                   [](std::int64_t row, std::int64_t) { return I8Scale(row); })};
}

std::vector<TensorToWrite> I8TableAsF32(const std::string& prefix, std::int64_t rows,
                                        std::int64_t head_dim) {
  return {Tensor2D(prefix + "weight", DType::kF32, rows, head_dim,
                   [](std::int64_t row, std::int64_t i) {
                     return static_cast<float>(I8Code(row, i)) * I8Scale(row);
                   })};
}

std::string WriteWithTables(const std::string& source, const std::string& name,
                            const MakeTable& make) {
  const std::string directory = testing::TempDir() + "/" + name;
  std::filesystem::create_directory(directory);
  std::filesystem::copy_file(source + "/config.json", directory + "/config.json",
                             std::filesystem::copy_options::overwrite_existing);
  std::vector<TensorToWrite> tensors = TensorsOf(source, make);
  const auto scales = std::stable_partition(tensors.begin(), tensors.end(), std::not_fn(IsScale));
  const std::vector<TensorToWrite> second(scales, tensors.end());
  tensors.erase(scales, tensors.end());
  nlohmann::json places = nlohmann::json::object();
  const auto write = [&](const std::string& file, const std::vector<TensorToWrite>& shard) {
    if (shard.empty()) return;
    WriteFile(directory + "/" + file, SafetensorsFile(shard));
    for (const TensorToWrite& tensor : shard) places[tensor.name] = file;
  };
  write("model-00001-of-00002.safetensors", tensors);
  write("model-00002-of-00002.safetensors", second);
  WriteFile(directory + "/model.safetensors.index.json",
            nlohmann::json{{"weight_map", places}}.dump());
  return directory;
}

}  // namespace engram::testing_support
