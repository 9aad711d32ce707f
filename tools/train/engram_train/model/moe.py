# SPDX-License-Identifier: Apache-2.0
"""Mixture of experts, balanced without an auxiliary loss: a bias per expert follows the load and only chooses."""
import torch
from torch import nn

from .layers import Mlp, linear, swiglu, weight


class Permute(torch.autograd.Function):
    """Rows in another order. Its gradient is a gather too, where autograd's own would be a slow scatter."""

    @staticmethod
    def forward(ctx, x, order, inverse):
        ctx.inverse = inverse
        return x[order]

    @staticmethod
    def backward(ctx, gradient):
        return gradient[ctx.inverse], None, None


class Router(nn.Module):
    def __init__(self, experts, width):
        super().__init__()
        self.weight = weight(experts, width)
        self.register_buffer("e_score_correction_bias", torch.zeros(experts))

    def forward(self, x, count):
        """→ chosen experts and their weights, each [tokens, count]. In float32: near ties decide much."""
        scores = torch.sigmoid(linear(x.float(), self.weight))
        chosen = (scores + self.e_score_correction_bias).topk(count, -1).indices
        weights = scores.gather(1, chosen)
        return chosen, weights / (weights.sum(-1, keepdim=True) + 1e-20)


def grouped(x, matrices, lengths):
    """The first lengths[0] rows times the first matrix, the next lengths[1] times the second, …"""
    return torch.cat([linear(rows, matrix) for rows, matrix in zip(x.split(lengths), matrices.to(x.dtype))])


class Experts(nn.Module):
    """All routed experts of a layer, stacked: the checkpoint has them one by one (checkpoint.py)."""

    def __init__(self, count, width, inner, out_scale):
        super().__init__()
        self.gate_proj = weight(count, inner, width)
        self.up_proj = weight(count, inner, width)
        self.down_proj = weight(count, width, inner, std=inner ** -0.5 * out_scale)

    def forward(self, x, lengths):
        """x: the rows of expert 0, then those of expert 1, …; lengths: how many rows each has."""
        # SwiGLU sees all rows at once: their number is always the same, and it is compiled for that.
        hidden = swiglu(grouped(x, self.gate_proj, lengths), grouped(x, self.up_proj, lengths))
        return grouped(hidden, self.down_proj, lengths)


class MixtureOfExperts(nn.Module):
    def __init__(self, config, out_scale):
        super().__init__()
        width, inner = config.hidden_size, config.moe_intermediate_size
        self.count = config.num_experts_per_tok
        self.gate = Router(config.n_routed_experts, width)
        self.experts = Experts(config.n_routed_experts, width, inner, out_scale)
        self.shared_experts = Mlp(width, inner * config.n_shared_experts, out_scale)
        self.load = None  # [experts] tokens of the last forward pass, for `balance`

    def forward(self, x):
        chosen, weights = self.gate(x, self.count)
        order = torch.argsort(chosen.flatten(), stable=True)
        inverse = torch.argsort(order)
        self.load = torch.bincount(chosen.flatten(), minlength=self.gate.weight.shape[0])
        copies = x.unsqueeze(1).expand(-1, self.count, -1).reshape(-1, x.shape[1])
        sorted_out = self.experts(Permute.apply(copies, order, inverse), self.load.tolist())
        out = Permute.apply(sorted_out, inverse, order).view(*chosen.shape, -1)
        routed = (out.float() * weights.unsqueeze(-1)).sum(1).to(x.dtype)
        return routed + self.shared_experts(x)

    @torch.no_grad()
    def balance(self, speed):
        """Makes experts with less than their share a little more likely; → the largest expert's share."""
        load = self.load.float()
        self.gate.e_score_correction_bias += speed * torch.sign(load.mean() - load)
        return float(load.max() / load.sum())
