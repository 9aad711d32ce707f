// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/tensor_aliases.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace engram {
namespace {

// transformers' deepseek_v4 spelling of the hyper-connections and the demo code's of the table.
struct Rename {
  std::string_view from;  // an end of the name
  std::string_view to;
};
constexpr Rename kRenames[] = {
    {".attn_hc.fn", ".hc_attn_fn"},
    {".attn_hc.base", ".hc_attn_base"},
    {".attn_hc.scale", ".hc_attn_scale"},
    {".ffn_hc.fn", ".hc_ffn_fn"},
    {".ffn_hc.base", ".hc_ffn_base"},
    {".ffn_hc.scale", ".hc_ffn_scale"},
    {".hc_head.hc_fn", ".hc_head_fn"},
    {".hc_head.hc_base", ".hc_head_base"},
    {".hc_head.hc_scale", ".hc_head_scale"},
    {".engram.multi_head_embedding.embedding.weight", ".engram.embed.weight"},
};

// The demo code keeps one tensor per residual stream where the format has one for all.
struct Stacked {
  std::string_view part;  // anywhere in the name
  std::string_view what_to_do;
};
constexpr Stacked kStacked[] = {
    {".engram.key_projs.",
     "stack key_projs.0, key_projs.1, … and value_proj, in this order, to engram.wkv"},
    {".engram.value_proj.",
     "stack key_projs.0, key_projs.1, … and value_proj, in this order, to engram.wkv"},
    {".engram.norm1.", "stack norm1.0, norm1.1, … to engram.k_weight"},
    {".engram.norm2.", "stack norm2.0, norm2.1, … to engram.q_weight"},
    {".engram.short_conv.norms.",
     "stack short_conv.norms.0, short_conv.norms.1, … to engram.short_conv.norm_weight"},
    {".ple.", "this is Qwen's per-layer embedding, another architecture than Engram"},
};

}  // namespace

absl::StatusOr<std::string> CanonicalTensorName(std::string_view name) {
  for (const auto& [from, to] : kRenames) {
    if (!name.ends_with(from)) continue;
    return absl::StrCat(ToAbsl(name.substr(0, name.size() - from.size())), ToAbsl(to));
  }
  for (const auto& [part, what_to_do] : kStacked) {
    if (name.find(part) == std::string_view::npos) continue;
    return absl::UnimplementedError(absl::StrCat(
        "tensor '", ToAbsl(name), "' has to be converted first: ", ToAbsl(what_to_do)));
  }
  return std::string(name);
}

}  // namespace engram
