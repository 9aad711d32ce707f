// SPDX-License-Identifier: Apache-2.0
// Checkpoints with quantized Engram tables: the numbers they stand for, to the bit, on every
// backend and from every storage; and what is said of those that do not fit together.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "engine/runtime/model_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/model/other_tables.h"
#include "tests/engine/model/sequence_driver.h"
#include "tests/testing/token_maps.h"

namespace engram {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing_support::F8Table;
using testing_support::F8TableAsBF16;
using testing_support::I8Table;
using testing_support::I8TableAsF32;
using testing_support::SequenceDriver;
using testing_support::TensorToWrite;
using testing_support::WriteWithTables;

constexpr char kSource[] = "tests/testdata/tiny/engram_paper";

absl::StatusOr<std::unique_ptr<ModelRuntime>> Load(const std::string& directory,
                                                   const std::string& backend,
                                                   EngramPlacement placement) {
  ModelRuntimeOptions options;
  options.model_directory = directory;
  options.backend = backend;
  options.threads = 2;
  options.scheduler.max_num_seqs = 2;
  options.scheduler.max_num_batched_tokens = 64;
  options.engram_storage.placement = placement;
  return ModelRuntime::Load(options, testing_support::TokenMapOf(kSource), [](std::string_view) {});
}

std::vector<float> Logits(const std::string& directory, const std::string& backend,
                          EngramPlacement placement) {
  const auto runtime = Load(directory, backend, placement);
  EXPECT_TRUE(runtime.ok()) << runtime.status();
  const std::unique_ptr<Executor> executor = (*runtime)->TakeExecutor();
  SequenceDriver sequence((*runtime)->scheduler_options(), executor.get(), true);
  std::vector<std::int32_t> prompt;
  for (std::int32_t i = 0; i < 90; ++i) prompt.push_back((i * i * 17 + 3) % 2000);
  sequence.RunInChunks(prompt, 37);
  return sequence.recording().at("logits.0");
}

class QuantizedTables : public testing::TestWithParam<std::string> {
 protected:
  void ExpectSameLogits(const std::string& quantized, const std::string& plain) {
    const std::vector<float> expected = Logits(plain, GetParam(), EngramPlacement::kMapped);
    ASSERT_EQ(expected.size(), 90u * 2056);
    for (const EngramPlacement placement :
         {EngramPlacement::kRam, EngramPlacement::kMapped, EngramPlacement::kNvme}) {
      EXPECT_EQ(Logits(quantized, GetParam(), placement), expected) << PlacementName(placement);
    }
  }
};

TEST_P(QuantizedTables, F8IsWhatItsProductsAreInBF16) {
  ExpectSameLogits(WriteWithTables(kSource, "f8_" + GetParam(), F8Table),
                   WriteWithTables(kSource, "f8_as_bf16_" + GetParam(), F8TableAsBF16));
}

TEST_P(QuantizedTables, I8IsWhatItsProductsAreInF32) {
  ExpectSameLogits(WriteWithTables(kSource, "i8_" + GetParam(), I8Table),
                   WriteWithTables(kSource, "i8_as_f32_" + GetParam(), I8TableAsF32));
}

INSTANTIATE_TEST_SUITE_P(Backends, QuantizedTables, testing::Values("ref", "cpu"),
                         [](const auto& info) { return info.param; });

// The spellings of the same scales.
TEST(QuantizedTablesTest, ScalesMayBeCalledU8OrHaveOneDimension) {
  const auto load = [](const std::string& name, const testing_support::MakeTable& make) {
    return Load(WriteWithTables(kSource, name, make), "ref", EngramPlacement::kRam).status();
  };
  EXPECT_TRUE(load("u8", [](const std::string& prefix, std::int64_t rows, std::int64_t dim) {
                auto tensors = F8Table(prefix, rows, dim);
                tensors[1].dtype = DType::kU8;
                return tensors;
              }).ok());
  EXPECT_TRUE(load("flat", [](const std::string& prefix, std::int64_t rows, std::int64_t dim) {
                auto tensors = I8Table(prefix, rows, dim);
                tensors[1].shape = {rows};
                return tensors;
              }).ok());
}

TEST(QuantizedTablesTest, ThePlanCountsScalesThatStayInMemory) {
  const std::string directory = WriteWithTables(kSource, "plan", F8Table);
  const auto runtime = Load(directory, "ref", EngramPlacement::kNvme);
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  const MemoryPlan& plan = (*runtime)->memory_plan();
  EXPECT_EQ(plan.tables_bytes, (4972 + 5344) * (8 + 1));
  EXPECT_EQ(plan.tables_memory_bytes, (4972 + 5344) + EngramStorageOptions().cache_bytes);
  EXPECT_EQ((*runtime)->table_stats()[0].bytes, 4972u * 9);
}

// `change` is made to every table's tensors.
std::string ErrorWith(const std::string& name, const testing_support::MakeTable& table,
                      const std::function<void(std::vector<TensorToWrite>*)>& change) {
  const std::string directory = WriteWithTables(
      kSource, name, [&](const std::string& prefix, std::int64_t rows, std::int64_t head_dim) {
        std::vector<TensorToWrite> tensors = table(prefix, rows, head_dim);
        change(&tensors);
        return tensors;
      });
  return Message(Load(directory, "ref", EngramPlacement::kAuto).status());
}

TEST(QuantizedTablesTest, WithoutScales) {
  EXPECT_THAT(ErrorWith("no_scale", F8Table, [](auto* tensors) { tensors->pop_back(); }),
              AllOf(HasSubstr("no_scale: tensor 'model.layers.1.engram.embed.scale' is missing"),
                    HasSubstr("expected [4972, 1] of e8m0 or u8")));
  EXPECT_THAT(ErrorWith("no_scale_i8", I8Table, [](auto* tensors) { tensors->pop_back(); }),
              HasSubstr("is missing; expected [4972, 1] of f32 or bf16"));
}

TEST(QuantizedTablesTest, AScaleBesidePlainValues) {
  const std::string error = ErrorWith("surplus", F8TableAsBF16, [](auto* tensors) {
    const TensorToWrite& weight = tensors->front();
    const std::string prefix = weight.name.substr(0, weight.name.size() - 6);
    tensors->push_back(
        {.name = prefix + "scale", .dtype = DType::kE8M0, .shape = {weight.shape[0], 1}});
  });
  EXPECT_THAT(error, HasSubstr("model-00002-of-00002.safetensors: tensor "
                               "'model.layers.1.engram.embed.scale' is there, expected none, "
                               "because 'model.layers.1.engram.embed.weight' "
                               "(model-00001-of-00002.safetensors) is bf16"));
}

TEST(QuantizedTablesTest, ScalesOfAnotherShapeOrDType) {
  EXPECT_THAT(ErrorWith("two", F8Table,
                        [](auto* tensors) {
                          (*tensors)[1].shape[1] = 2;
                          (*tensors)[1].bytes.clear();
                        }),
              HasSubstr("model-00002-of-00002.safetensors: tensor "
                        "'model.layers.1.engram.embed.scale' has shape [4972, 2], expected "
                        "[4972, 1]"));
  EXPECT_THAT(ErrorWith("f32", F8Table,
                        [](auto* tensors) {
                          (*tensors)[1].dtype = DType::kF32;
                          (*tensors)[1].bytes.clear();
                        }),
              HasSubstr("'model.layers.1.engram.embed.scale' is f32, expected e8m0 or u8"));
  EXPECT_THAT(ErrorWith("e8m0", I8Table,
                        [](auto* tensors) {
                          (*tensors)[1].dtype = DType::kE8M0;
                          (*tensors)[1].bytes.clear();
                        }),
              HasSubstr("'model.layers.1.engram.embed.scale' is e8m0, expected f32 or bf16"));
  EXPECT_THAT(ErrorWith("values", F8Table, [](auto* tensors) { (*tensors)[0].dtype = DType::kU8; }),
              HasSubstr("'model.layers.1.engram.embed.weight' is u8, expected f32, bf16, f16, i8 "
                        "or f8_e4m3"));
}

}  // namespace
}  // namespace engram
