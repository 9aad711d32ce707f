// SPDX-License-Identifier: Apache-2.0
#include "tests/testing/safetensors_writer.h"

#include <cctype>
#include <cstring>
#include <fstream>

#include "base/check.h"

namespace engram::testing_support {
namespace {

// As the format spells it.
std::string FormatName(DType dtype) {
  if (dtype == DType::kE8M0) return "F8_E8M0";
  std::string name(DTypeName(dtype));
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::size_t Bytes(const TensorToWrite& tensor) {
  std::size_t bytes = DTypeBytes(tensor.dtype);
  for (const std::int64_t dimension : tensor.shape) bytes *= static_cast<std::size_t>(dimension);
  return bytes;
}

}  // namespace

std::string SafetensorsFile(std::string header, std::size_t data_bytes) {
  while (header.size() % 8 != 0) header += ' ';
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(header.size() >> (8 * i));
  file += header;
  for (std::size_t i = 0; i < data_bytes; ++i) file += static_cast<char>(i);
  return file;
}

std::string SafetensorsFile(const std::vector<TensorToWrite>& tensors) {
  std::string header = "{";
  std::size_t end = 0;
  for (const TensorToWrite& tensor : tensors) {
    const std::size_t bytes = Bytes(tensor);
    CHECK(tensor.bytes.empty() || tensor.bytes.size() == bytes);
    std::string shape;
    for (const std::int64_t dimension : tensor.shape) {
      shape += (shape.empty() ? "" : ",") + std::to_string(dimension);
    }
    const std::string dtype = FormatName(tensor.dtype);
    header += (header.size() == 1 ? "\"" : ",\"") + tensor.name + R"(":{"dtype":")" + dtype +
              R"(","shape":[)" + shape + R"(],"data_offsets":[)" + std::to_string(end) + "," +
              std::to_string(end + bytes) + "]}";
    end += bytes;
  }
  std::string file = SafetensorsFile(header + "}", end);
  char* to = file.data() + file.size() - end;
  for (const TensorToWrite& tensor : tensors) {
    if (!tensor.bytes.empty()) std::memcpy(to, tensor.bytes.data(), tensor.bytes.size());
    to += Bytes(tensor);
  }
  return file;
}

void WriteFile(const std::string& path, const std::string& contents) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << contents;
  out.close();
  CHECK_MSG(out.good(), "cannot write " + path);
}

}  // namespace engram::testing_support
