// SPDX-License-Identifier: Apache-2.0
// The short convolution keeps a sequence's past between steps. However a sequence is cut into steps
// and whatever runs beside it, its rows and its stored windows are the same bits; and every backend
// agrees with the formula written out here.
#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "tests/kernels/backends.h"
#include "tests/kernels/op_case.h"

namespace engram {
namespace {

using testing_support::Arrays;
using testing_support::BackendCase;
using testing_support::FirstRows;
using testing_support::RandomF32;
using testing_support::RandomValue;

struct Shape {
  int n;
  int hidden;
  int taps;
  int dilation;

  int channels() const { return n * hidden; }
  int window() const { return (taps - 1) * dilation; }
};

constexpr Shape kShapes[] = {{4, 33, 4, 3}, {1, 8, 2, 1}, {2, 70, 3, 5}, {1, 16, 1, 2}};
constexpr int kEntries = 12;
constexpr float kEps = 1e-5f;

// One layer's convolution on one backend: its weights and state, and the values of sequences as a
// function of (sequence, position).
class Layer {
 public:
  Layer(Backend* backend, const Shape& shape)
      : shape_(shape),
        arrays_(backend),
        norm_weight_(RandomF32(arrays_, 1, 1, shape.channels())),
        conv_weight_(RandomF32(arrays_, 2, shape.channels(), shape.taps)),
        state_(arrays_.F32(kEntries * shape.window(), shape.channels())) {}

  struct Slice {
    int sequence;
    int first_position;
    int count;
    std::int32_t source;
  };
  struct Write {
    std::int32_t slice;
    int after_position;
    std::int32_t entry;
  };

  // Runs one step. The result: what was added to streams of zeros, [rows][channels], slice by
  // slice.
  std::vector<std::vector<float>> Step(const std::vector<Slice>& slices,
                                       const std::vector<Write>& writes) {
    std::vector<std::int32_t> first_row, row_count, source, write_slice, after_row, entry;
    std::vector<float> value;
    std::int32_t rows = 0;
    for (const Slice& slice : slices) {
      first_row.push_back(rows);
      row_count.push_back(slice.count);
      source.push_back(slice.source);
      rows += slice.count;
      for (int i = 0; i < slice.count; ++i) {
        for (int c = 0; c < shape_.channels(); ++c) {
          value.push_back(Value(slice.sequence, slice.first_position + i, c));
        }
      }
    }
    for (const Write& write : writes) {
      write_slice.push_back(write.slice);
      after_row.push_back(first_row[write.slice] + write.after_position -
                          slices[write.slice].first_position);
      entry.push_back(write.entry);
    }
    const Tensor streams = arrays_.F32(rows, shape_.channels());
    arrays_.backend().EngramConv({}, {.streams = streams,
                                      .value = arrays_.F32(rows, shape_.channels(), value),
                                      .norm_weight = norm_weight_,
                                      .conv_weight = conv_weight_,
                                      .state = state_,
                                      .normed = arrays_.F32(rows, shape_.channels()),
                                      .slice_first_row = first_row,
                                      .slice_row_count = row_count,
                                      .slice_source = source,
                                      .write_slice = write_slice,
                                      .write_after_row = after_row,
                                      .write_entry = entry,
                                      .n = shape_.n,
                                      .dilation = shape_.dilation,
                                      .eps = kEps});
    return testing_support::ReadRows(arrays_, {streams});
  }

  std::vector<float> Entry(std::int32_t entry) {
    return arrays_.ReadF32(state_.Rows(entry * shape_.window(), shape_.window()));
  }
  std::vector<float> NormWeight() { return arrays_.ReadF32(norm_weight_); }
  std::vector<float> ConvWeight() { return arrays_.ReadF32(conv_weight_); }

  static float Value(int sequence, int position, int channel) {
    return RandomValue(50 + sequence, position, channel) * 2;
  }

 private:
  Shape shape_;
  Arrays arrays_;
  Tensor norm_weight_;
  Tensor conv_weight_;
  Tensor state_;
};

// x̂ of one position; zeros before the start.
std::vector<double> Normed(Layer& layer, const Shape& shape, int sequence, int position) {
  std::vector<double> out(shape.channels());
  if (position < 0) return out;
  const std::vector<float> weight = layer.NormWeight();
  for (int m = 0; m < shape.n; ++m) {
    double sum = 0;
    for (int d = 0; d < shape.hidden; ++d) {
      sum += std::pow(double{Layer::Value(sequence, position, m * shape.hidden + d)}, 2);
    }
    for (int d = 0; d < shape.hidden; ++d) {
      const int c = m * shape.hidden + d;
      out[c] =
          Layer::Value(sequence, position, c) / std::sqrt(sum / shape.hidden + kEps) * weight[c];
    }
  }
  return out;
}

std::vector<std::uint32_t> Bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

class EngramConv : public ::testing::TestWithParam<BackendCase> {
 protected:
  std::unique_ptr<Backend> backend_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Backends, EngramConv, ::testing::ValuesIn(testing_support::AllBackends()),
                         testing_support::BackendCaseName);

TEST_P(EngramConv, IsTheFormula) {
  constexpr int kCount = 25;
  for (const Shape& shape : kShapes) {
    Layer layer(backend_.get(), shape);
    const std::vector<float> weight = layer.ConvWeight();
    const auto rows =
        layer.Step({{.sequence = 0, .first_position = 0, .count = kCount, .source = 0}},
                   {{.slice = 0, .after_position = kCount - 1, .entry = 1}});
    std::vector<std::vector<double>> normed;
    for (int t = -shape.window(); t < kCount; ++t) normed.push_back(Normed(layer, shape, 0, t));
    for (int t = 0; t < kCount; ++t) {
      for (int c = 0; c < shape.channels(); ++c) {
        double y = 0;
        for (int j = 0; j < shape.taps; ++j) {
          y += weight[c * shape.taps + j] * normed[t + j * shape.dilation][c];
        }
        const double expected = y / (1 + std::exp(-y)) + Layer::Value(0, t, c);
        ASSERT_NEAR(rows[t][c], expected, 1e-5) << "row " << t << ", channel " << c;
      }
    }
    const std::vector<float> entry = layer.Entry(1);
    for (std::size_t i = 0; i < entry.size(); ++i) {
      const std::size_t row = normed.size() - shape.window() + i / shape.channels();
      ASSERT_NEAR(entry[i], normed[row][i % shape.channels()], 1e-5) << "window value " << i;
    }
  }
}

TEST_P(EngramConv, AnyChunkingGivesTheSameBits) {
  constexpr int kCount = 23;
  for (const Shape& shape : kShapes) {
    Layer whole(backend_.get(), shape);
    const auto expected = whole.Step({{0, 0, kCount, 0}}, {{0, kCount - 1, 1}});
    for (int chunk = 1; chunk < kCount; ++chunk) {
      Layer layer(backend_.get(), shape);
      for (int at = 0; at < kCount; at += chunk) {
        const int count = std::min(chunk, kCount - at);
        const auto rows = layer.Step({{0, at, count, at == 0 ? 0 : 1}}, {{0, at + count - 1, 1}});
        for (int i = 0; i < count; ++i) {
          ASSERT_EQ(Bits(rows[i]), Bits(expected[at + i]))
              << "position " << at + i << " in chunks of " << chunk;
        }
      }
      ASSERT_EQ(Bits(layer.Entry(1)), Bits(whole.Entry(1))) << "chunks of " << chunk;
    }
  }
}

// A step with a prompt's chunk, single tokens and snapshots in it: each sequence as if alone, and a
// snapshot continues like the sequence it was taken from.
TEST_P(EngramConv, SequencesAndSnapshotsDoNotMeet) {
  constexpr int kCount = 20;
  for (const Shape& shape : kShapes) {
    std::vector<std::vector<std::vector<float>>> alone;
    for (int sequence = 0; sequence < 3; ++sequence) {
      Layer layer(backend_.get(), shape);
      alone.push_back(layer.Step({{sequence, 0, kCount, 0}}, {}));
    }
    Layer layer(backend_.get(), shape);
    // Sequence 0 keeps its window in entry 1 with snapshots of positions 3 and 7 in 4 and 5;
    // sequence 1 in entry 2, sequence 2 in entry 3.
    layer.Step({{1, 0, 6, 0}, {0, 0, 5, 0}, {2, 0, 1, 0}},
               {{1, 3, 4}, {0, 5, 2}, {2, 0, 3}, {1, 4, 1}});
    const auto mixed = layer.Step({{2, 1, 1, 3}, {0, 5, 9, 1}, {1, 6, 1, 2}},
                                  {{1, 13, 1}, {1, 7, 5}, {0, 1, 3}, {2, 6, 2}});
    EXPECT_EQ(Bits(mixed[0]), Bits(alone[2][1]));
    for (int i = 0; i < 9; ++i) EXPECT_EQ(Bits(mixed[1 + i]), Bits(alone[0][5 + i]));
    EXPECT_EQ(Bits(mixed[10]), Bits(alone[1][6]));
    // Both snapshots go on in one step with the sequence itself, two readers of one entry among
    // them.
    const auto resumed = layer.Step({{0, 4, 2, 4}, {0, 8, 1, 5}, {0, 14, 1, 1}, {0, 4, 1, 4}},
                                    {{0, 5, 4}, {3, 4, 6}});
    EXPECT_EQ(Bits(resumed[0]), Bits(alone[0][4]));
    EXPECT_EQ(Bits(resumed[1]), Bits(alone[0][5]));
    EXPECT_EQ(Bits(resumed[2]), Bits(alone[0][8]));
    EXPECT_EQ(Bits(resumed[3]), Bits(alone[0][14]));
    EXPECT_EQ(Bits(resumed[4]), Bits(alone[0][4]));
    const auto last = layer.Step({{0, 6, 1, 4}, {0, 5, 1, 6}}, {});
    EXPECT_EQ(Bits(last[0]), Bits(alone[0][6]));
    EXPECT_EQ(Bits(last[1]), Bits(alone[0][5]));
  }
}

TEST_P(EngramConv, WritesNoEntryButThoseNamed) {
  const Shape shape = kShapes[0];
  Layer layer(backend_.get(), shape);
  layer.Step({{0, 0, 12, 0}}, {{0, 11, 3}});
  for (const std::int32_t entry : {0, 1, 2, 4, 5}) {
    for (const float value : layer.Entry(entry)) ASSERT_EQ(value, 0.0f) << "entry " << entry;
  }
}

}  // namespace
}  // namespace engram
