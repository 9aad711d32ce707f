# SPDX-License-Identifier: Apache-2.0
"""The language model: embedding, blocks on the streams of the residual, exit, head; and the loss.

Module names spell the checkpoint's tensor names (checkpoint.py has the three exceptions).
"""
import torch
import torch.nn.functional as F
from torch import nn

from ..addressing import NgramRows
from .engram import Engram
from .layers import Mlp, Weight, fused, linear
from .mhc import HyperConnection, HyperHead
from .mla import Attention
from .moe import MixtureOfExperts

# Rows of the head's product that exist at once: logits of a whole batch would not fit any cache.
_LOSS_CHUNK = 512


@fused
def weighted_loss(logits, targets, weights):
    """Σ weight · -log p(target)"""
    return (F.cross_entropy(logits.float(), targets, reduction="none") * weights).sum()


class Block(nn.Module):
    def __init__(self, config, layer, row_count):
        super().__init__()
        out_scale = (2 * config.num_hidden_layers) ** -0.5
        dense = layer < config.first_k_dense_replace
        self.engram = Engram(config, row_count) if row_count else None
        self.hc_attn = HyperConnection(config)
        self.input_layernorm = Weight(config.hidden_size, ones=True)
        self.self_attn = Attention(config, out_scale)
        self.hc_ffn = HyperConnection(config)
        self.post_attention_layernorm = Weight(config.hidden_size, ones=True)
        self.mlp = (Mlp(config.hidden_size, config.intermediate_size, out_scale) if dense
                    else MixtureOfExperts(config, out_scale))

    def forward(self, streams, cos, sin):
        streams = self.hc_attn(streams, self.input_layernorm.weight, lambda x: self.self_attn(x, cos, sin))
        return self.hc_ffn(streams, self.post_attention_layernorm.weight, self.mlp)


class Backbone(nn.Module):
    def __init__(self, config, row_counts):
        super().__init__()
        rows = dict(zip(config.engram_layer_ids, row_counts))
        self.embed_tokens = Weight(config.vocab_size, config.hidden_size, std=0.3)
        self.layers = nn.ModuleList(
            Block(config, layer, rows.get(layer, 0)) for layer in range(config.num_hidden_layers))
        self.hc_head = HyperHead(config)
        self.norm = Weight(config.hidden_size, ones=True)


class LanguageModel(nn.Module):
    def __init__(self, config, token_map):
        """token_map: see token_map.py. Weights are random; the caller seeds torch."""
        super().__init__()
        self.ngram_rows = NgramRows(config, token_map) if config.engram_layer_ids else None
        if self.ngram_rows:
            found = dict(engram_num_embeddings=self.ngram_rows.row_counts,
                         engram_compressed_vocab_size=self.ngram_rows.compressed_vocab)
            for name, value in found.items():
                if getattr(config, name) and getattr(config, name) != value:
                    raise ValueError(f"config.json: {name} is {getattr(config, name)}, but tokenizer.json and "
                                     f"engram_vocab_size give {value}: they are not of one checkpoint")
            config = config.replace(**found)
        self.config = config
        self.memory_on = True
        self.model = Backbone(config, config.engram_num_embeddings)
        self.lm_head = Weight(config.vocab_size, config.hidden_size, std=0.02)

    @property
    def experts(self):
        return [block.mlp for block in self.model.layers if isinstance(block.mlp, MixtureOfExperts)]

    def rotation(self, batch, time, device):
        """cos and sin, each [batch, time, 1, rope/2]"""
        pairs = torch.arange(0, self.config.qk_rope_head_dim, 2, dtype=torch.float64, device=device)
        frequency = self.config.rope_theta ** (-pairs / self.config.qk_rope_head_dim)
        angle = torch.outer(torch.arange(time, dtype=torch.float64, device=device), frequency)
        shape = (batch, time, 1, -1)
        return tuple(f(angle).float().view(1, time, 1, -1).expand(shape) for f in (torch.cos, torch.sin))

    def hidden(self, ids, dtype, keep=None, observe=None):
        """ids [batch, time] → normalised last hidden states [batch·time, width].

        keep [batch]: 0 where a sequence does without memory. observe(name, tensor) is told what golden files hold.
        """
        config, (batch, time) = self.config, ids.shape
        observe = observe or (lambda name, value: None)
        cos, sin = self.rotation(batch, time, ids.device)
        embedded = self.model.embed_tokens.weight.to(dtype)[ids.flatten()]
        streams = embedded.unsqueeze(1).expand(-1, config.hc_mult, -1).contiguous()
        rows = {}
        if self.ngram_rows and self.memory_on:
            rows = dict(zip(config.engram_layer_ids, self.ngram_rows(ids)))
            keep = torch.ones(batch, device=ids.device) if keep is None else keep
        for layer, block in enumerate(self.model.layers):
            if layer in rows:
                streams, gates = block.engram(streams, rows[layer].flatten(0, 1), keep)
                observe(f"engram.{layer}.rows", rows[layer])
                observe(f"engram.{layer}.gates", gates)
            streams = block(streams, cos, sin)
            observe(f"hidden.{layer}", streams)
        return self.model.hc_head(streams, self.model.norm.weight)

    def logits(self, ids, dtype=torch.float32, **options):
        hidden = self.hidden(ids, dtype, **options)
        return linear(hidden, self.lm_head.weight).float().view(*ids.shape, -1)

    def loss(self, ids, targets, weights, dtype, **options):
        """Weighted mean of the cross-entropy, in nats per token."""
        hidden, head = self.hidden(ids, dtype, **options), self.lm_head.weight.to(dtype)
        chunks = zip(hidden.split(_LOSS_CHUNK), targets.flatten().split(_LOSS_CHUNK),
                     weights.flatten().split(_LOSS_CHUNK))
        return sum(weighted_loss(linear(x, head), y, w) for x, y, w in chunks) / weights.sum()
