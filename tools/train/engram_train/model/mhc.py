# SPDX-License-Identifier: Apache-2.0
"""Manifold-constrained hyper-connections: the residual is n streams that every sub-layer reads, writes and mixes.

The mixing matrix is made doubly stochastic by Sinkhorn's iteration, so that depth neither blows the streams up nor
lets them fade (arXiv 2512.24880). Tensors have DeepSeek V4's form: rows of `fn` are pre (n), post (n), mixing (n·n).
"""
import math

import torch
from torch import nn

from .layers import fused, linear, normalize, weight


class Sinkhorn(torch.autograd.Function):
    """Softmax over the second index, then columns and rows divided by their sums in turns.

    Works on [n, n, tokens]: every operation runs along the long, contiguous axis. One division y = x / s, with s the
    sum of x, has the gradient (dy - Σ dy·y) / s. So the backward pass keeps the sums alone and recovers each x as y·s.
    """

    @staticmethod
    def forward(ctx, logits, iterations, eps):
        softmax = torch.softmax(logits, 1)
        matrix, sums = softmax + eps, []
        for axis in [0] + [1, 0] * (iterations - 1):
            sums.append((axis, matrix.sum(axis, keepdim=True) + eps))
            matrix = matrix / sums[-1][1]
        ctx.save_for_backward(matrix, softmax)
        ctx.sums = sums
        return matrix

    @staticmethod
    def backward(ctx, gradient):
        matrix, softmax = ctx.saved_tensors
        gradient = gradient.contiguous()
        for axis, total in reversed(ctx.sums):
            gradient = (gradient - (gradient * matrix).sum(axis, keepdim=True)) / total
            matrix = matrix * total
        return softmax * (gradient - (gradient * softmax).sum(1, keepdim=True)), None, None


def _coefficients(streams, fn, norm_eps):
    """One projection of all streams together; dividing by their size afterwards equals normalising them before."""
    flat = streams.flatten(1)
    size = torch.rsqrt(flat.float().pow(2).mean(-1, keepdim=True) + norm_eps)
    return linear(flat, fn).float() * size


def _weighted_sum(streams, weights, gain, norm_eps):
    mixed = (weights.unsqueeze(-1) * streams.float()).sum(1)
    return (normalize(mixed, norm_eps) * gain).to(streams.dtype)


@fused
def enter(streams, fn, base, scale, gain, norm_eps, hc_eps):
    """→ the sub-layer's normalised input, its output's weight per stream, and the logits of the mixing matrix."""
    tokens, n, _ = streams.shape
    q = _coefficients(streams, fn, norm_eps)
    pre = torch.sigmoid(q[:, :n] * scale[0] + base[:n]) + hc_eps
    post = 2 * torch.sigmoid(q[:, n:2 * n] * scale[1] + base[n:2 * n])
    mixing = (q[:, 2 * n:] * scale[2] + base[2 * n:]).t().reshape(n, n, tokens)
    return _weighted_sum(streams, pre, gain, norm_eps), post, mixing


@fused
def leave(streams, output, post, mixing):
    """Stream k becomes post[k]·output + Σ_j mixing[j, k]·stream j. Unrolled, it is one pass over the streams."""
    n = streams.shape[1]
    old, output = [streams[:, j].float() for j in range(n)], output.float()
    new = [post[:, k:k + 1] * output + sum(mixing[j, k].unsqueeze(-1) * old[j] for j in range(n)) for k in range(n)]
    return torch.stack(new, 1).to(streams.dtype)


@fused
def collapse(streams, fn, base, scale, gain, norm_eps, hc_eps):
    weights = torch.sigmoid(_coefficients(streams, fn, norm_eps) * scale + base) + hc_eps
    return _weighted_sum(streams, weights, gain, norm_eps)


class HyperConnection(nn.Module):
    """One site: `sub_layer` reads a mixture of the streams, and all streams get its output."""

    def __init__(self, config):
        super().__init__()
        n, self.config = config.hc_mult, config
        self.fn = weight((2 + n) * n, n * config.hidden_size, std=0.02)
        read = torch.full((n,), -math.log(n - 1))  # sigmoid of it is 1/n: all streams count alike at first
        mix = 3 * torch.eye(n).flatten()           # at first streams stay mostly what they are
        self.base = nn.Parameter(torch.cat([read, torch.zeros(n), mix]))
        self.scale = nn.Parameter(torch.full((3,), 0.01))

    def forward(self, streams, gain, sub_layer):
        config = self.config
        x, post, logits = enter(streams, self.fn, self.base, self.scale, gain, config.rms_norm_eps, config.hc_eps)
        mixing = Sinkhorn.apply(logits, config.hc_sinkhorn_iters, config.hc_eps)
        return leave(streams, sub_layer(x), post, mixing)


class HyperHead(nn.Module):
    """The exit: one weighted sum of the streams, then the final norm."""

    def __init__(self, config):
        super().__init__()
        n, self.config = config.hc_mult, config
        self.fn = weight(n, n * config.hidden_size, std=0.02)
        self.base = nn.Parameter(torch.full((n,), -math.log(n - 1)))
        self.scale = nn.Parameter(torch.full((1,), 0.01))

    def forward(self, streams, gain):
        config = self.config
        return collapse(streams, self.fn, self.base, self.scale, gain, config.rms_norm_eps, config.hc_eps)
