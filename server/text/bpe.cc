// SPDX-License-Identifier: Apache-2.0
// See bpe.h. A doubly linked list of tokens and a heap of possible merges; a candidate whose tokens
// have been merged away meanwhile is recognised when it comes up, and dropped.
#include "server/text/bpe.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "server/text/byte_alphabet.h"

namespace engram {
namespace {

constexpr std::uint64_t PairKey(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

bool OccursInUtf8(int byte) { return byte != 0xC0 && byte != 0xC1 && byte < 0xF5; }

absl::StatusOr<std::int32_t> MergeId(const Vocabulary& vocabulary, std::size_t rank,
                                     const std::string& token) {
  if (const std::optional<std::int32_t> id = vocabulary.IdOf(token)) return *id;
  return absl::InvalidArgumentError(
      absl::StrFormat("model.merges[%d]: token '%s' is not in model.vocab", rank, token));
}

}  // namespace

// A token of the word being merged.
struct Bpe::Symbol {
  std::int32_t id = 0;
  std::int32_t previous = 0;  // index, or kNone
  std::int32_t next = 0;
  bool merged_away = false;  // has become part of its left neighbour
};

struct Bpe::Candidate {
  std::uint32_t rank = 0;
  std::int32_t left = 0;  // index of the left symbol
  std::int32_t id = 0;

  // std::push_heap keeps the largest in front: the first learned, then the leftmost.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  }
};

class Bpe::Word {
 public:
  Word(const Bpe& bpe, std::string_view piece) : bpe_(bpe) {
    const auto count = static_cast<std::int32_t>(piece.size());
    symbols_.resize(count);
    for (std::int32_t i = 0; i < count; ++i) {
      const std::int32_t id = bpe.byte_ids_[static_cast<unsigned char>(piece[i])];
      symbols_[i] = {id, i - 1, i + 1 < count ? i + 1 : kNone};
    }
    for (std::int32_t i = 0; i + 1 < count; ++i) AddCandidate(i);
    std::make_heap(heap_.begin(), heap_.end());
  }

  void MergeAll() {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Candidate best = heap_.back();
      heap_.pop_back();
      if (!IsCurrent(best)) continue;
      Join(best);
      const std::int32_t previous = symbols_[best.left].previous;
      if (previous != kNone && AddCandidate(previous)) std::push_heap(heap_.begin(), heap_.end());
      if (AddCandidate(best.left)) std::push_heap(heap_.begin(), heap_.end());
    }
  }

  void AppendTo(std::vector<std::int32_t>& ids) const {
    for (std::int32_t i = 0; i != kNone; i = symbols_[i].next) ids.push_back(symbols_[i].id);
  }

 private:
  static constexpr std::int32_t kNone = -1;

  // Appends the merge of `left` with what follows it to the heap's storage, if there is one.
  bool AddCandidate(std::int32_t left) {
    const std::int32_t right = symbols_[left].next;
    if (right == kNone) return false;
    const Merge* merge = bpe_.FindMerge(symbols_[left].id, symbols_[right].id);
    if (merge == nullptr) return false;
    heap_.push_back({merge->rank, left, merge->id});
    return true;
  }

  bool IsCurrent(const Candidate& candidate) const {
    const Symbol& left = symbols_[candidate.left];
    if (left.merged_away || left.next == kNone) return false;
    const Merge* merge = bpe_.FindMerge(left.id, symbols_[left.next].id);
    return merge != nullptr && merge->id == candidate.id;
  }

  void Join(const Candidate& candidate) {
    Symbol& left = symbols_[candidate.left];
    Symbol& right = symbols_[left.next];
    left.id = candidate.id;
    left.next = right.next;
    right.merged_away = true;
    if (left.next != kNone) symbols_[left.next].previous = candidate.left;
  }

  const Bpe& bpe_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

absl::StatusOr<Bpe> Bpe::Create(const Vocabulary& vocabulary, const BpeOptions& options) {
  Bpe bpe;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string spelling = SpellBytes(std::string(1, static_cast<char>(byte)));
    const std::optional<std::int32_t> id = vocabulary.IdOf(spelling);
    if (!id && OccursInUtf8(byte)) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "model.vocab: no token '%s' for byte 0x%02X; a byte-level vocabulary has all bytes",
          spelling, byte));
    }
    bpe.byte_ids_[byte] = id.value_or(0);
  }
  bpe.merges_.reserve(options.merges.size());
  for (std::size_t rank = 0; rank < options.merges.size(); ++rank) {
    const auto& [left, right] = options.merges[rank];
    ASSIGN_OR_RETURN(const std::int32_t left_id, MergeId(vocabulary, rank, left));
    ASSIGN_OR_RETURN(const std::int32_t right_id, MergeId(vocabulary, rank, right));
    ASSIGN_OR_RETURN(const std::int32_t joined_id, MergeId(vocabulary, rank, left + right));
    bpe.merges_[PairKey(left_id, right_id)] = {static_cast<std::uint32_t>(rank), joined_id};
  }
  if (options.ignore_merges) bpe.AddWholePieces(vocabulary, options.added_tokens);
  return bpe;
}

void Bpe::AddWholePieces(const Vocabulary& vocabulary, std::span<const std::string> added_tokens) {
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const std::string_view bytes = vocabulary.TokenBytes(id);
    const bool is_spelled = !bytes.empty() && SpellBytes(bytes) == vocabulary.TokenString(id);
    if (is_spelled) whole_pieces_.emplace(bytes, id);
  }
  for (const std::string& token : added_tokens) whole_pieces_.erase(token);
}

const Bpe::Merge* Bpe::FindMerge(std::int32_t left, std::int32_t right) const {
  const auto found = merges_.find(PairKey(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::Encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  CHECK_LE(piece.size(), std::size_t{std::numeric_limits<std::int32_t>::max()});
  if (piece.empty()) return;
  if (!whole_pieces_.empty()) {
    if (const auto found = whole_pieces_.find(ToAbsl(piece)); found != whole_pieces_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  Word word(*this, piece);
  word.MergeAll();
  word.AppendTo(ids);
}

}  // namespace engram
