// SPDX-License-Identifier: Apache-2.0
// Primes, offsets, rows and multipliers against the specification's golden layouts, DeepSeek's demo
// code and DeepSeek-V4.1's published row counts; and the errors of checkpoints that declare
// something else.
#include "engine/engram/engram_layout.h"

#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/engram/reference.h"
#include "tests/testing/tensors.h"

namespace engram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::CheckpointEngramConfig;
using testing_support::DemoConfig;
using testing_support::ModuleEngramConfig;
using testing_support::Paper27BConfig;
using testing_support::ReferenceTokenMap;
using testing_support::TensorFile;

std::vector<EngramTableLayout> Layouts(const EngramConfig& config) {
  auto layouts = MakeEngramTableLayouts(config);
  EXPECT_TRUE(layouts.ok()) << layouts.status();
  return layouts.ok() ? *layouts : std::vector<EngramTableLayout>{};
}

EngramConfig WithBase(std::int64_t base, std::vector<int> layer_ids, int max_ngram_size = 3) {
  EngramConfig config;
  config.layer_ids = std::move(layer_ids);
  config.max_ngram_size = max_ngram_size;
  config.vocab_sizes.assign(config.orders(), base);
  return config;
}

TEST(EngramLayoutTest, FullPrimeListsOfTheSpecification) {
  EXPECT_THAT(Layouts(DemoConfig())[0].primes,
              ElementsAre(646403, 646411, 646421, 646423, 646433, 646453, 646519, 646523, 646537,
                          646543, 646549, 646571, 646573, 646577, 646609, 646619));
  EXPECT_THAT(Layouts(Paper27BConfig())[0].primes,
              ElementsAre(2262409, 2262413, 2262437, 2262443, 2262451, 2262457, 2262461, 2262467,
                          2262499, 2262521, 2262529, 2262541, 2262563, 2262569, 2262593, 2262619));
}

TEST(EngramLayoutTest, GoldenEndsAndRowCounts) {
  struct Golden {
    EngramConfig config;
    std::vector<std::int64_t> first, last, rows;
  };
  const Golden goldens[] = {
      {DemoConfig(), {646403, 646631}, {646619, 646879}, {10344164, 10348242}},
      {Paper27BConfig(), {2262409, 2262629}, {2262619, 2262859}, {36199972, 36204260}},
      {WithBase(7239680, {1, 14}), {7239691, 7239979}, {7239961, 7240183}, {115837464, 115841428}},
  };
  for (const Golden& golden : goldens) {
    const std::vector<EngramTableLayout> layouts = Layouts(golden.config);
    ASSERT_EQ(layouts.size(), golden.rows.size());
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      EXPECT_EQ(layouts[i].primes.front(), golden.first[i]);
      EXPECT_EQ(layouts[i].primes.back(), golden.last[i]);
      EXPECT_EQ(layouts[i].rows, golden.rows[i]);
    }
  }
}

TEST(EngramLayoutTest, PublishedRowCountsOfBigTables) {
  const std::vector<EngramTableLayout> v41 = Layouts(WithBase(16'000'000, {1, 14}, 4));
  EXPECT_EQ(v41[0].rows, 384'006'168);
  EXPECT_EQ(v41[1].rows, 384'016'682);
  // The paper's 100-billion-parameter layer: 1.25 billion rows of 80.
  EXPECT_EQ(Layouts(WithBase(78'125'000, {1}))[0].rows, 1'250'002'714);
}

TEST(EngramLayoutTest, PrimesAndOffsetsOfTheDemoCode) {
  for (const char* name : {"engram_layer_paper", "engram_layer_demo", "engram_layer_plain"}) {
    SCOPED_TRACE(name);
    const std::string file = std::string(name) + ".safetensors";
    const TensorFile golden = TensorFile::Load("tests/testdata/modules/" + file);
    const EngramTableLayout layout = Layouts(ModuleEngramConfig(file))[0];
    EXPECT_EQ(layout.primes, golden.I64("primes"));
    EXPECT_EQ(layout.offsets, golden.I64("offsets"));
  }
}

TEST(EngramLayoutTest, AcceptsWhatTheCheckpointsDeclare) {
  for (const char* directory :
       {"tests/testdata/tiny/engram_paper", "tests/testdata/tiny/engram_demo_profile",
        "tests/testdata/tiny/engram_plain", "models/engram-demo"}) {
    SCOPED_TRACE(directory);
    const EngramConfig config = CheckpointEngramConfig(directory);
    const std::vector<EngramTableLayout> layouts = Layouts(config);
    ASSERT_EQ(layouts.size(), config.num_embeddings.size());
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      EXPECT_EQ(layouts[i].rows, config.num_embeddings[i]);
    }
  }
}

// The walk that the specification states: from the base again for every order and layer.
std::vector<std::vector<std::int64_t>> PrimesByDefinition(const EngramConfig& config) {
  const auto is_prime = [](std::int64_t n) {
    for (std::int64_t d = 2; d * d <= n; ++d) {
      if (n % d == 0) return false;
    }
    return n > 1;
  };
  std::set<std::int64_t> seen;
  std::vector<std::vector<std::int64_t>> layers;
  for (std::size_t layer = 0; layer < config.layer_ids.size(); ++layer) {
    std::vector<std::int64_t>& primes = layers.emplace_back();
    for (const std::int64_t base : config.vocab_sizes) {
      std::int64_t candidate = base - 1;
      for (int head = 0; head < config.heads; ++head) {
        do ++candidate;
        while (!is_prime(candidate) || seen.count(candidate) > 0);
        seen.insert(candidate);
        primes.push_back(candidate);
      }
    }
  }
  return layers;
}

TEST(EngramLayoutTest, OrdersWithBasesAmongEachOthersPrimes) {
  for (const std::vector<std::int64_t>& bases :
       std::vector<std::vector<std::int64_t>>{{100, 103, 100}, {500, 401, 450}, {1, 2, 1}}) {
    EngramConfig config = WithBase(0, {0, 3, 4}, 4);
    config.vocab_sizes = bases;
    config.heads = 7;
    const auto expected = PrimesByDefinition(config);
    const std::vector<EngramTableLayout> layouts = Layouts(config);
    ASSERT_EQ(layouts.size(), expected.size());
    for (std::size_t i = 0; i < layouts.size(); ++i) EXPECT_EQ(layouts[i].primes, expected[i]);
  }
}

TEST(EngramLayoutTest, MultipliersOfTheSpecification) {
  struct Golden {
    std::int32_t compressed_vocab_size;
    int layer_id;
    HashMultipliers multipliers;
  };
  const Golden goldens[] = {
      {98627, 0, {59567203862923, 25229837992077, 3831750483381, 1545626769233}},
      {98627, 1, {76993395940407, 4862694818241, 36129212583461, 74336168021201}},
      {98627, 2, {76868182044803, 37272711521967, 22754161933167, 71761299653263}},
      {98627, 14, {68036077441013, 51753666516433, 31067133107689, 83008754102935}},
      {98627, 15, {29055444938695, 56284491166079, 54183298291715, 33095471667075}},
      {99092, 1, {76632096046245, 4839876093313, 35959672319349, 73987337458391}},
      {99092, 14, {67716810739261, 51510806800915, 30921347202721, 82619226485591}},
  };
  for (const Golden& golden : goldens) {
    EXPECT_EQ(MakeHashMultipliers(0, golden.layer_id, golden.compressed_vocab_size, 4),
              golden.multipliers);
    HashMultipliers two = golden.multipliers;
    two[2] = two[3] = 0;
    EXPECT_EQ(MakeHashMultipliers(0, golden.layer_id, golden.compressed_vocab_size, 2), two);
  }
}

TEST(EngramLayoutTest, ProductsNeverOverflow) {
  for (const std::int32_t size : {1, 2, 3, 1737, 98627, 1 << 20}) {
    for (int layer = 0; layer < 50; ++layer) {
      for (const std::int64_t multiplier : MakeHashMultipliers(0, layer, size, 4)) {
        EXPECT_LE(static_cast<unsigned __int128>(multiplier) * (size - 1),
                  static_cast<unsigned __int128>(std::numeric_limits<std::int64_t>::max()));
        EXPECT_EQ(multiplier % 2, 1);
      }
    }
  }
}

TEST(EngramLayoutTest, OtherDeclaredRowsAreAnError) {
  EngramConfig config = DemoConfig();
  config.num_embeddings[1] = 10348240;
  const absl::Status status = MakeEngramTableLayouts(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr("Engram layer 15"));
  EXPECT_THAT(Message(status), HasSubstr("declares 10348240 rows, expected 10348242"));
}

TEST(EngramLayoutTest, OneDeclaredRowCountPerLayer) {
  EngramConfig config = DemoConfig();
  config.num_embeddings.pop_back();
  EXPECT_THAT(Message(MakeEngramTableLayouts(config).status()),
              HasSubstr("engram_num_embeddings has 1 entries, expected 2"));
}

TEST(EngramLayoutTest, TablesBeyondTheLimitAreAnError) {
  // Sixteen heads of 2^40 / 16 rows and a little more.
  EXPECT_THAT(Message(MakeEngramTableLayouts(WithBase(limits::kEngramRowsMax / 16, {7})).status()),
              HasSubstr("Engram layer 7: engram_vocab_size gives a table of 10995"));
  EXPECT_THAT(Message(MakeEngramTableLayouts(WithBase(limits::kEngramRowsMax + 1, {7})).status()),
              HasSubstr("engram_vocab_size: 1099511627777 is more than 1099511627776 rows"));
}

TEST(EngramLayoutTest, AnotherTokenizerIsAnError) {
  const TokenMap tiny = ReferenceTokenMap("tiny");
  EngramConfig config = WithBase(601, {1});
  EXPECT_TRUE(CheckTokenMap(config, tiny).ok());  // not declared
  config.compressed_vocab_size = 1737;
  EXPECT_TRUE(CheckTokenMap(config, tiny).ok());
  config.compressed_vocab_size = 98627;
  EXPECT_THAT(Message(CheckTokenMap(config, tiny)),
              HasSubstr("engram_compressed_vocab_size is 98627 but the tokenizer's 2048 tokens "
                        "compress to 1737"));
}

TEST(EngramLayoutTest, ThePadTokenMustBeOneOfTheTokenizer) {
  const TokenMap tiny = ReferenceTokenMap("tiny");
  EngramConfig config = WithBase(601, {1});
  for (const int pad : {-1, 2048}) {
    config.pad_token_id = pad;
    EXPECT_THAT(Message(CheckTokenMap(config, tiny)), HasSubstr("engram_pad_token_id is"));
  }
}

}  // namespace
}  // namespace engram
