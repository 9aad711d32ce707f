// SPDX-License-Identifier: Apache-2.0
// Copies of a checkpoint whose Engram tables are of another format, and the same numbers again as
// plain floats: what a quantized table must compute to the bit.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/testing/safetensors_writer.h"

namespace engram::testing_support {

// The tensors of one table, named `prefix`weight and `prefix`scale.
using MakeTable = std::function<std::vector<TensorToWrite>(
    const std::string& prefix, std::int64_t rows, std::int64_t head_dim)>;

// f8_e4m3 with a scale of e8m0 for 32 values; the same products as bf16, which has room for them.
std::vector<TensorToWrite> F8Table(const std::string& prefix, std::int64_t rows,
                                   std::int64_t head_dim);
std::vector<TensorToWrite> F8TableAsBF16(const std::string& prefix, std::int64_t rows,
                                         std::int64_t head_dim);
// i8 with a scale of f32 for a row; the same products as f32.
std::vector<TensorToWrite> I8Table(const std::string& prefix, std::int64_t rows,
                                   std::int64_t head_dim);
std::vector<TensorToWrite> I8TableAsF32(const std::string& prefix, std::int64_t rows,
                                        std::int64_t head_dim);

// Writes a checkpoint like that in `source`, but for its tables, which `make` makes; scales are in
// a shard of their own. Returns its directory, in the test's temporary one.
std::string WriteWithTables(const std::string& source, const std::string& name,
                            const MakeTable& make);

}  // namespace engram::testing_support
