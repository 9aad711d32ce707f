// SPDX-License-Identifier: Apache-2.0
// The safetensors parser: the repository's own files read whole, and each way a file can be wrong.
#include "engine/checkpoint/safetensors.h"

#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "engine/checkpoint/mapped_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/safetensors_writer.h"
#include "tests/testing/tensors.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::SafetensorsFile;
using testing_support::TensorFile;

// The bytes of `file` on an 8-byte boundary, as a mapping has them, for as long as this lives.
class Aligned {
 public:
  explicit Aligned(const std::string& file) : words_(file.size() / 8 + 1), size_(file.size()) {
    std::memcpy(words_.data(), file.data(), file.size());
  }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words_)).first(size_); }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_;
};

// The message that parsing `file` fails with; "parsed" if it does not.
std::string ErrorOf(const std::string& file) {
  const Aligned aligned(file);
  const auto tensors = ParseSafetensors(aligned.bytes());
  if (tensors.ok()) return "parsed";
  EXPECT_EQ(tensors.status().code(), absl::StatusCode::kInvalidArgument);
  return Message(tensors.status());
}

TEST(SafetensorsTest, ReadsTensorsInFileOrder) {
  const Aligned file(
      SafetensorsFile(R"({"b":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},)"
                      R"("__metadata__":{"format":"pt","x":"y"},)"
                      R"("a":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                      R"("empty":{"dtype":"BF16","shape":[0,7],"data_offsets":[8,8]}})",
                      16));
  const auto tensors = ParseSafetensors(file.bytes());
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[0].dtype, DType::kI64);
  EXPECT_THAT((*tensors)[0].shape, ElementsAre());
  EXPECT_EQ((*tensors)[1].name, "empty");
  EXPECT_TRUE((*tensors)[1].bytes.empty());
  EXPECT_EQ((*tensors)[2].name, "b");
  EXPECT_THAT((*tensors)[2].shape, ElementsAre(2, 1));
  EXPECT_EQ((*tensors)[2].bytes.size(), 8u);
  EXPECT_EQ((*tensors)[2].bytes[0], std::byte{8});
}

TEST(SafetensorsTest, ReadsEveryDType) {
  const std::vector<std::pair<std::string, DType>> dtypes = {
      {"F32", DType::kF32},        {"BF16", DType::kBF16},    {"F16", DType::kF16},
      {"F8_E4M3", DType::kF8E4M3}, {"F8_E8M0", DType::kE8M0}, {"I32", DType::kI32},
      {"I64", DType::kI64},        {"U8", DType::kU8},        {"I8", DType::kI8}};
  for (const auto& [name, dtype] : dtypes) {
    const int bytes = static_cast<int>(3 * DTypeBytes(dtype));
    const Aligned file(SafetensorsFile(R"({"x":{"dtype":")" + name +
                                           R"(","shape":[3],"data_offsets":[0,)" +
                                           std::to_string(bytes) + "]}}",
                                       bytes));
    const auto tensors = ParseSafetensors(file.bytes());
    ASSERT_TRUE(tensors.ok()) << name << tensors.status();
    EXPECT_EQ(tensors->at(0).dtype, dtype);
  }
}

TEST(SafetensorsTest, AFileWithoutTensorsIsValid) {
  EXPECT_EQ(ErrorOf(SafetensorsFile("{}", 0)), "parsed");
}

TEST(SafetensorsTest, ReadsEveryFileOfTheRepository) {
  int files = 0;
  for (const char* root : {"tests/testdata", "models"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.path().extension() != ".safetensors") continue;
      const auto file = MappedFile::Open(entry.path().string());
      ASSERT_TRUE(file.ok()) << file.status();
      const auto tensors = ParseSafetensors(file->bytes());
      EXPECT_TRUE(tensors.ok()) << entry.path() << tensors.status();
      ++files;
    }
  }
  EXPECT_GE(files, 26);
}

TEST(SafetensorsTest, ReadsKnownValues) {
  const TensorFile golden = TensorFile::Load("tests/testdata/tiny/engram_paper/golden.safetensors");
  EXPECT_THAT(golden.Shape("p1.greedy_ids"), ElementsAre(24));
  const std::vector<std::int32_t> ids = golden.I32("p1.greedy_ids");
  EXPECT_EQ(ids.size(), 24u);
  EXPECT_THAT((std::vector<std::int32_t>{ids.begin(), ids.begin() + 3}),
              ElementsAre(225, 1390, 1957));

  const TensorFile model =
      TensorFile::Load("tests/testdata/tiny/engram_demo_profile/model.safetensors");
  ASSERT_EQ(model.Raw("model.norm.weight").dtype, DType::kBF16);
  const std::vector<float> norm = model.F32("model.norm.weight");
  EXPECT_EQ(norm.size(), 64u);
  EXPECT_EQ(norm[0], 1.4921875f);
  EXPECT_EQ(norm[1], 0.9609375f);
}

struct BadFile {
  const char* name;
  std::string header;
  int data_bytes;
  const char* error;  // a part of it
};

class BadSafetensorsTest : public testing::TestWithParam<BadFile> {};

TEST_P(BadSafetensorsTest, IsRefused) {
  EXPECT_THAT(ErrorOf(SafetensorsFile(GetParam().header, GetParam().data_bytes)),
              HasSubstr(GetParam().error));
}

std::string One(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadSafetensorsTest,
    testing::Values(
        BadFile{"JsonCutShort", "{\"w\":", 0, "no valid JSON"},
        BadFile{"JsonTrailingText", "{} x", 0, "no valid JSON"},
        BadFile{"InvalidUtf8", "{\"w\xff\":1}", 0, "no valid JSON"},
        BadFile{"DoesNotBeginWithBrace", " {}", 0, "does not begin with '{'"},
        BadFile{"AList", "[]", 0, "does not begin with '{'"},
        BadFile{"TensorIsANumber", R"({"w":3})", 0, "unexpected a number in the header, at 'w'"},
        BadFile{"TensorIsAList", R"({"w":[]})", 0, "unexpected a list"},
        BadFile{"UnknownKey", R"({"w":{"strides":[1]}})", 0, "unknown key 'strides'"},
        BadFile{"UnknownDType", One("\"F64\"", "[1]", "[0,8]"), 8, "'w' has the dtype 'F64'"},
        BadFile{"DTypeIsANumber", One("1", "[1]", "[0,8]"), 8, "unexpected a number"},
        BadFile{"DTypeIsAList", One("[]", "[1]", "[0,8]"), 8, "unexpected a list"},
        BadFile{"NegativeDimension", One("\"F32\"", "[-1]", "[0,4]"), 4, "negative number -1"},
        BadFile{"FractionalDimension", One("\"F32\"", "[1.5]", "[0,4]"), 4, "the number 1.5"},
        BadFile{"NestedShape", One("\"F32\"", "[[1]]", "[0,4]"), 4, "unexpected a list"},
        BadFile{"ObjectInShape", One("\"F32\"", "[{}]", "[0,4]"), 4, "unexpected an object"},
        BadFile{"TextInShape", One("\"F32\"", "[\"1\"]", "[0,4]"), 4, "unexpected a string"},
        BadFile{"NullShape", One("\"F32\"", "null", "[0,4]"), 4, "unexpected null"},
        BadFile{"TruthValue", One("\"F32\"", "true", "[0,4]"), 4, "unexpected a truth value"},
        BadFile{"HugeDimension", One("\"F32\"", "[9223372036854775808]", "[0,4]"), 4,
                "dimension 9223372036854775808 is too large"},
        BadFile{"TooManyDimensions", One("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4,
                "more than 8 dimensions"},
        BadFile{"ProductOverflows", One("\"F32\"", "[4294967296,4294967296]", "[0,4]"), 4,
                "overflows 64 bits"},
        BadFile{"BytesOverflow", One("\"F32\"", "[4611686018427387904]", "[0,0]"), 0,
                "overflows 64 bits"},
        BadFile{"NoDType", R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4, "'w' has no dtype"},
        BadFile{"NoShape", R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4, "'w' has no shape"},
        BadFile{"NoOffsets", R"({"w":{"dtype":"F32","shape":[1]}})", 4, "no data_offsets"},
        BadFile{"OneOffset", One("\"F32\"", "[1]", "[0]"), 4, "no data_offsets of two numbers"},
        BadFile{"ThreeOffsets", One("\"F32\"", "[1]", "[0,4,8]"), 4, "a third number"},
        BadFile{"OffsetsSwapped", One("\"F32\"", "[1]", "[4,0]"), 4, "ends before it begins"},
        BadFile{"WrongByteCount", One("\"F32\"", "[2]", "[0,4]"), 4,
                "shape [2] needs 8 bytes, data_offsets give 4"},
        BadFile{"Truncated", One("\"F32\"", "[2]", "[0,8]"), 7, "has only 7: it is truncated"},
        BadFile{"Surplus", One("\"F32\"", "[2]", "[0,8]"), 9, "1 surplus bytes"},
        BadFile{"Misaligned",
                R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                R"("w":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                5, "'w' begins at byte"},
        BadFile{"Gap",
                R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                R"("w":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                3,
                "'w' begins at byte 2 of the data, but the tensors before it end at 1: there is"},
        BadFile{"GapAtTheStart", One("\"U8\"", "[1]", "[1,2]"), 2, "there is a gap"},
        BadFile{"Overlap",
                R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                R"("w":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                3, "they overlap"},
        BadFile{"SameBytesTwice",
                R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                R"("w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                2, "they overlap"},
        BadFile{"SameTensorTwice",
                R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                R"("w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                2, "names 'w' twice"},
        BadFile{"SameKeyTwice",
                R"({"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1,
                "'w' has the key 'dtype' twice"},
        BadFile{"MetadataNotText", R"({"__metadata__":{"a":1}})", 0, "unexpected a number"},
        BadFile{"MetadataNested", R"({"__metadata__":{"a":{}}})", 0, "unexpected an object"},
        BadFile{"MetadataTwice", R"({"__metadata__":{},"__metadata__":{}})", 0, "twice"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(SafetensorsTest, RefusesFilesShorterThanTheirHeader) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("found 0 bytes"));
  EXPECT_THAT(ErrorOf("1234567"), HasSubstr("found 7 bytes"));
  EXPECT_THAT(ErrorOf(std::string("\x09\0\0\0\0\0\0\0{}", 10)),
              HasSubstr("the header should have 9 bytes, the file has only 2"));
}

TEST(SafetensorsTest, RefusesHeadersOverTheLimit) {
  const std::string all_ones(16, '\xff');
  EXPECT_THAT(ErrorOf(all_ones), HasSubstr("a header of 18446744073709551615 bytes"));
}

TEST(SafetensorsTest, DeepNestingEndsAtOnce) {
  EXPECT_THAT(ErrorOf(SafetensorsFile("{\"w\":" + std::string(1'000'000, '['), 0)),
              HasSubstr("unexpected"));
}

TEST(SafetensorsTest, EveryTruncationOfAGoodFileIsRefused) {
  const std::string good = SafetensorsFile(One("\"F32\"", "[2]", "[0,8]"), 8);
  ASSERT_EQ(ErrorOf(good), "parsed");
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_NE(ErrorOf(good.substr(0, length)), "parsed") << length;
  }
}

TEST(ShapeToStringTest, ListsDimensions) {
  EXPECT_EQ(ShapeToString(std::vector<std::int64_t>{2, 3}), "[2, 3]");
  EXPECT_EQ(ShapeToString(std::vector<std::int64_t>{}), "[]");
}

}  // namespace
}  // namespace engram
