// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without a fuzzer, the same way every time: each file of the corpus as it is,
// then seeded mutations of it. What CI runs; the search for new inputs is libFuzzer's
// (fuzz_test.bzl). Usage: <target> <corpus folder> [--mutations=N per file] [--only=FILE:N]
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Random = std::mt19937_64;

// What runs now, for the signal handler, which may only write memory that is ready.
char current_input[512];

extern "C" void SayWhichInput(int signal) {
  constexpr char kPrefix[] = "\nfuzz input that failed, repeat it with --only=";
  [[maybe_unused]] auto ignored = ::write(STDERR_FILENO, kPrefix, sizeof(kPrefix) - 1);
  ignored = ::write(STDERR_FILENO, current_input, std::strlen(current_input));
  ignored = ::write(STDERR_FILENO, "\n", 1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

struct CorpusFile {
  std::string name;
  std::string bytes;
};

std::vector<CorpusFile> ReadCorpus(const std::filesystem::path& folder) {
  std::vector<CorpusFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    files.push_back({entry.path().filename().string(),
                     {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}});
  }
  std::sort(files.begin(), files.end(),
            [](const CorpusFile& a, const CorpusFile& b) { return a.name < b.name; });
  return files;
}

// Uniform enough in [0, n), and the same with every standard library.
std::size_t Below(Random& random, std::size_t n) { return n == 0 ? 0 : random() % n; }

// Puts a number that programs trip over in place of a number in the text.
void ReplaceNumber(std::string* bytes, Random& random) {
  constexpr std::string_view kNumbers[] = {"0",
                                           "1",
                                           "-1",
                                           "255",
                                           "65536",
                                           "2147483647",
                                           "2147483648",
                                           "-2147483648",
                                           "4294967296",
                                           "9223372036854775807",
                                           "9223372036854775808",
                                           "-9223372036854775809",
                                           "18446744073709551615",
                                           "1e999",
                                           "0.5",
                                           "1e-320",
                                           "null",
                                           "\"\""};
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto from = bytes->begin() + static_cast<std::ptrdiff_t>(Below(random, bytes->size()));
  const auto first = std::find_if(from, bytes->end(), is_digit);
  const auto last = std::find_if_not(first, bytes->end(), is_digit);
  const std::string_view number = kNumbers[Below(random, std::size(kNumbers))];
  if (first != bytes->end()) bytes->replace(first, last, number.begin(), number.end());
}

void MutateOnce(std::string* bytes, const std::string& other, Random& random) {
  const std::size_t at = Below(random, bytes->size());
  const std::size_t length = 1 + Below(random, std::min<std::size_t>(bytes->size() - at, 64));
  switch (Below(random, 7)) {
    case 0:  // flip a bit
      if (!bytes->empty()) (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << Below(random, 8)));
      return;
    case 1:  // any byte
      if (!bytes->empty()) (*bytes)[at] = static_cast<char>(random());
      return;
    case 2:
      bytes->erase(at, length);
      return;
    case 3:  // repeat a part
      bytes->insert(at, bytes->substr(at, length));
      return;
    case 4:  // cut short
      bytes->resize(at);
      return;
    case 5: {  // a part of another input
      const std::size_t from = Below(random, other.size());
      bytes->insert(at, other.substr(from, 1 + Below(random, 64)));
      return;
    }
    default:
      ReplaceNumber(bytes, random);
  }
}

// The n-th mutation of a file: a function of its name, contents and n alone.
std::string Mutate(const std::vector<CorpusFile>& corpus, std::size_t file, int n) {
  std::uint64_t seed = 0xcbf29ce484222325;  // FNV-1a of the name
  for (const char c : corpus[file].name) {
    seed = (seed ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  }
  Random random(seed + static_cast<std::uint64_t>(n));
  std::string bytes = corpus[file].bytes;
  const std::size_t steps = 1 + Below(random, 4);
  for (std::size_t i = 0; i < steps; ++i) {
    MutateOnce(&bytes, corpus[Below(random, corpus.size())].bytes, random);
  }
  return bytes;
}

// Mutation 0 is the file itself.
void Run(const std::vector<CorpusFile>& corpus, std::size_t file, int n) {
  std::snprintf(current_input, sizeof(current_input), "%s:%d", corpus[file].name.c_str(), n);
  const std::string bytes = n == 0 ? corpus[file].bytes : Mutate(corpus, file, n);
  // A copy of exactly this size: AddressSanitizer sees a read one byte past its end.
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argc, char** argv) {
  int mutations = 2000;
  std::string only;
  std::string folder;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("--mutations=")) {
      mutations = std::atoi(argument.c_str() + 12);
    } else if (argument.starts_with("--only=")) {
      only = argument.substr(7);
    } else {
      folder = argument;
    }
  }
  const std::vector<CorpusFile> corpus = ReadCorpus(folder);
  if (corpus.empty()) {
    std::fprintf(stderr, "no files in the corpus folder '%s'\n", folder.c_str());
    return 2;
  }
  std::signal(SIGABRT, SayWhichInput);
  std::signal(SIGSEGV, SayWhichInput);
  int runs = 0;
  for (std::size_t file = 0; file < corpus.size(); ++file) {
    for (int n = 0; n <= mutations; ++n) {
      if (!only.empty() && only != corpus[file].name + ":" + std::to_string(n)) continue;
      Run(corpus, file, n);
      ++runs;
    }
  }
  std::printf("%d inputs from %zu files\n", runs, corpus.size());
  return runs > 0 ? 0 : 2;
}
