# SPDX-License-Identifier: Apache-2.0
"""What every part of the network uses: norm, linear map, SwiGLU, and `fused`.

Parameters are float32. The activations' dtype decides what a product is computed in: `linear` casts the weight to it,
everything that sums or exponentiates works in float32 and casts back.
"""
import functools

import torch
import torch.nn.functional as F
from torch import nn

_compiled = False


def compile_fused(on):
    """Whether `fused` functions are compiled from now on. Eager code computes the same, slower."""
    global _compiled
    _compiled = on
    # Layers of one kind share a compiled function; there are a dozen shapes, more than the default limit.
    torch._dynamo.config.recompile_limit = 64


def fused(function):
    """For pure functions that are bound by memory traffic: compiled, they make one pass instead of ten.

    Not the whole network: the loop over experts would break the graph, and these few compile once for all layers.
    """
    compiled = torch.compile(function, dynamic=False)

    @functools.wraps(function)
    def call(*arguments):
        return (compiled if _compiled else function)(*arguments)
    return call


def fast_dtype(device):
    """bf16 where the hardware multiplies it, else float32: emulated bf16 is several times slower."""
    hardware = device != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if hardware else torch.float32


def weight(*shape, std=None):
    """Normal, with a deviation that keeps the size of what passes through."""
    return nn.Parameter(torch.randn(*shape) * (shape[-1] ** -0.5 if std is None else std))


def linear(x, matrix):
    return F.linear(x, matrix.to(x.dtype))


def normalize(x, eps):
    """x over its root mean square, in float32."""
    x = x.float()
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)


@fused
def swiglu(gate, up):
    return (F.silu(gate.float()) * up.float()).to(up.dtype)


class Weight(nn.Module):
    """One tensor under the name `<module>.weight`, as in the checkpoint."""

    def __init__(self, *shape, std=None, ones=False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(*shape)) if ones else weight(*shape, std=std)


class Mlp(nn.Module):
    """down( SiLU(gate x) * up x )"""

    def __init__(self, width, inner, out_scale):
        super().__init__()
        self.gate_proj = Weight(inner, width)
        self.up_proj = Weight(inner, width)
        self.down_proj = Weight(width, inner, std=inner ** -0.5 * out_scale)

    def forward(self, x):
        hidden = swiglu(linear(x, self.gate_proj.weight), linear(x, self.up_proj.weight))
        return linear(hidden, self.down_proj.weight)
