# SPDX-License-Identifier: Apache-2.0
"""Multi-head latent attention, in the form that training uses: keys and values are expanded for every head.

The server caches the latent instead and computes the same; the golden files hold both to each other.
"""
import torch
from torch import nn

from .layers import Weight, fused, linear, normalize

_LATENT_EPS = 1e-6  # DeepSeek's code fixes it here, whatever rms_norm_eps is


def rotate(x, cos, sin):
    """Rotates the pairs (x0, x1), (x2, x3), … The results come out as all first members, then all second ones: a
    fixed order of the same numbers for queries and keys, so their products do not change."""
    first, second = x.float()[..., 0::2], x.float()[..., 1::2]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).to(x.dtype)


@fused
def split_heads(queries, key_rope, expanded, cos, sin, heads, nope):
    """Puts rotary and plain parts together; → queries, keys, values, each [batch·heads, time, ·]."""
    batch, time = cos.shape[0], cos.shape[1]
    q = queries.view(batch, time, heads, -1)
    kv = expanded.view(batch, time, heads, -1)
    k_rope = rotate(key_rope.reshape(batch, time, 1, -1), cos, sin).expand(-1, -1, heads, -1)
    q = torch.cat([q[..., :nope], rotate(q[..., nope:], cos, sin)], -1)
    k = torch.cat([kv[..., :nope], k_rope], -1)
    return tuple(t.transpose(1, 2).reshape(batch * heads, time, -1) for t in (q, k, kv[..., nope:]))


@fused
def normalized(x, gain, eps):
    return (normalize(x, eps) * gain).to(x.dtype)


@fused
def causal_softmax(scores, scale):
    time = scores.shape[-1]
    position = torch.arange(time, device=scores.device)
    visible = position.unsqueeze(0) <= position.unsqueeze(1)
    return torch.softmax(torch.where(visible, scores.float() * scale, float("-inf")), -1).to(scores.dtype)


class Attention(nn.Module):
    def __init__(self, config, out_scale):
        super().__init__()
        self.config = config
        heads, width = config.num_attention_heads, config.hidden_size
        values = heads * config.v_head_dim
        self.q_proj = Weight(heads * (config.qk_nope_head_dim + config.qk_rope_head_dim), width)
        self.kv_a_proj_with_mqa = Weight(config.kv_lora_rank + config.qk_rope_head_dim, width)
        self.kv_a_layernorm = Weight(config.kv_lora_rank, ones=True)
        self.kv_b_proj = Weight(heads * (config.qk_nope_head_dim + config.v_head_dim), config.kv_lora_rank)
        self.o_proj = Weight(width, values, std=values ** -0.5 * out_scale)

    def forward(self, x, cos, sin):
        """x [tokens, width]; cos, sin [batch, time, 1, rope/2] → [tokens, width]"""
        config = self.config
        heads, nope = config.num_attention_heads, config.qk_nope_head_dim
        latent, key_rope = linear(x, self.kv_a_proj_with_mqa.weight).split(
            [config.kv_lora_rank, config.qk_rope_head_dim], -1)
        latent = normalized(latent, self.kv_a_layernorm.weight, _LATENT_EPS)
        q, k, v = split_heads(linear(x, self.q_proj.weight), key_rope, linear(latent, self.kv_b_proj.weight),
                              cos, sin, heads, nope)
        # Two plain products: at these sizes torch's fused attention is slower on a CPU.
        shares = causal_softmax(torch.bmm(q, k.transpose(1, 2)), (nope + config.qk_rope_head_dim) ** -0.5)
        out = torch.bmm(shares, v).view(cos.shape[0], heads, cos.shape[1], -1).transpose(1, 2)
        return linear(out.reshape(x.shape[0], -1), self.o_proj.weight)
