# SPDX-License-Identifier: Apache-2.0
"""One Engram layer: rows of a hashed table, a gate that decides in context, a short causal convolution.

Reads and writes all streams of the residual: they share the table and the value, each has its own key and gate.
Formulas: arXiv 2601.07372, with the signed square root that all official code has; docs/ENGRAM.md.
"""
import torch
import torch.nn.functional as F
from torch import nn

from .layers import Weight, fused, linear, normalize


@fused
def gate_values(streams, keys_value, query_gain, key_gain, norm_eps):
    """→ the gates [tokens, n] and the gated value of every stream [tokens, n, width], float32."""
    tokens, n, width = streams.shape
    keys_value = keys_value.view(tokens, n + 1, width)
    query = normalize(streams, norm_eps) * query_gain
    key = normalize(keys_value[:, :n], norm_eps) * key_gain
    score = (query * key).sum(-1) * width ** -0.5
    score = torch.sign(score) * torch.sqrt(score.abs().clamp_min(1e-6))
    gates = torch.sigmoid(score)
    return gates, gates.unsqueeze(-1) * keys_value[:, n:].float()


@fused
def convolve_and_add(streams, values, gain, taps, keep, eps, dilation):
    """streams + keep · (values + SiLU(depthwise causal convolution of the normalised values))"""
    tokens, n, width = streams.shape
    batch, count = keep.shape[0], taps.shape[-1]
    time = tokens // batch
    x = (normalize(values, eps) * gain).view(batch, time, n, width)
    taps = taps.view(n, width, count)
    past = F.pad(x, (0, 0, 0, 0, (count - 1) * dilation, 0))
    # The last tap is the present token; tap j is (count-1-j)·dilation tokens back.
    mixed = sum(taps[:, :, j] * past[:, j * dilation:j * dilation + time] for j in range(count))
    update = values.view(batch, time, n, width) + F.silu(mixed)
    return (streams.float() + (keep.view(batch, 1, 1, 1) * update).view(tokens, n, width)).to(streams.dtype)


class ShortConv(nn.Module):
    def __init__(self, config):
        super().__init__()
        n, width = config.hc_mult, config.hidden_size
        self.norm_weight = nn.Parameter(torch.ones(n, width))
        self.conv = Weight(n * width, 1, config.engram_kernel_size, std=0.0)  # zero: the layer starts without it


class Engram(nn.Module):
    def __init__(self, config, row_count):
        super().__init__()
        n, width, self.config = config.hc_mult, config.hidden_size, config
        self.embed = Weight(row_count, config.engram_head_dim, std=0.02)
        self.wkv = Weight((n + 1) * width, config.engram_width)  # n blocks of keys, then the value
        self.q_weight = nn.Parameter(torch.ones(n, width))
        self.k_weight = nn.Parameter(torch.ones(n, width))
        self.short_conv = ShortConv(config)

    def forward(self, streams, rows, keep):
        """rows [tokens, columns]; keep [batch]: 0 silences the layer for a sequence → streams, gates [tokens, n]"""
        config, conv = self.config, self.short_conv
        # Sparse gradients: a step touches a few percent of the rows, and the optimiser only those.
        found = F.embedding(rows, self.embed.weight, sparse=True).flatten(1).to(streams.dtype)
        gates, values = gate_values(streams, linear(found, self.wkv.weight), self.q_weight, self.k_weight,
                                    config.engram_norm_eps)
        streams = convolve_and_add(streams, values, conv.norm_weight, conv.conv.weight, keep, config.engram_conv_eps,
                                   config.engram_conv_dilation)
        return streams, gates
