# SPDX-License-Identifier: Apache-2.0
"""Shapes of models that can be compared: what is counted as active and as sparse, twins, and shares of experts.

Sparse is what a token does not pass through: the experts it was not sent to, and the tables. Arithmetic only.
"""
from .addressing import table_sizes
from .config import ModelConfig

DEMO = ModelConfig()
# For comparisons of many runs: an hour of a core gives each enough tokens to tell them apart.
STUDY = ModelConfig(hidden_size=128, num_hidden_layers=4, num_attention_heads=4, kv_lora_rank=64,
                    intermediate_size=384, moe_intermediate_size=128, n_routed_experts=34, engram_layer_ids=(1, 2),
                    engram_head_dim=16)
SMOKE = ModelConfig(hidden_size=64, num_hidden_layers=3, num_attention_heads=2, kv_lora_rank=32,
                    intermediate_size=128, moe_intermediate_size=64, n_routed_experts=4, engram_layer_ids=(1,),
                    engram_head_dim=16, engram_vocab_size=2000)


def expert_size(config):
    return 3 * config.hidden_size * config.moe_intermediate_size


def moe_layers(config):
    return config.num_hidden_layers - config.first_k_dense_replace


def table_parameters(config):
    sizes = table_sizes(config.engram_layer_ids, config.engram_max_ngram_size - 1, config.engram_n_heads,
                        config.engram_vocab_size)
    return config.engram_head_dim * sum(map(sum, sizes))


def sparse_parameters(config):
    idle = config.n_routed_experts - config.num_experts_per_tok
    return idle * expert_size(config) * moe_layers(config) + table_parameters(config)


def engram_active_parameters(config):
    """What an Engram layer computes with: projections, gains, convolution."""
    width, n = config.hidden_size, config.hc_mult
    one = (n + 1) * width * config.engram_width + 2 * n * width + n * width * (1 + config.engram_kernel_size)
    return one * len(config.engram_layer_ids)


def active_parameters(config):
    width, n, heads = config.hidden_size, config.hc_mult, config.num_attention_heads
    site = (2 + n) * n * (n * width + 1) + 3 + width
    attention = (width * heads * (config.qk_nope_head_dim + config.qk_rope_head_dim + config.v_head_dim)
                 + (config.kv_lora_rank + config.qk_rope_head_dim) * width + config.kv_lora_rank
                 + heads * (config.qk_nope_head_dim + config.v_head_dim) * config.kv_lora_rank)
    moe = ((config.num_experts_per_tok + config.n_shared_experts) * expert_size(config)
           + config.n_routed_experts * width)
    dense = 3 * width * config.intermediate_size
    return (2 * config.vocab_size * width + config.num_hidden_layers * (2 * site + attention)
            + config.first_k_dense_replace * dense + moe_layers(config) * moe
            + n * (n * width + 1) + 1 + width + engram_active_parameters(config))


def without_engram(config):
    """The twin: no memory, and the dense layers wider by what Engram computed with."""
    plain = config.replace(engram_layer_ids=(), engram_num_embeddings=(), engram_compressed_vocab_size=0)
    gap = active_parameters(config) - active_parameters(plain)
    wider = round(gap / (3 * config.hidden_size * config.first_k_dense_replace))
    return plain.replace(intermediate_size=config.intermediate_size + wider)


def with_expert_share(config, share):
    """As many sparse parameters as `config`'s experts alone have: `share` of them in experts, the rest in tables."""
    total = (config.n_routed_experts - config.num_experts_per_tok) * expert_size(config) * moe_layers(config)
    idle = round(share * total / (expert_size(config) * moe_layers(config)))
    shaped = config.replace(n_routed_experts=config.num_experts_per_tok + idle)
    left = total - idle * expert_size(config) * moe_layers(config)
    if not left:
        return without_engram(shaped)
    columns = config.engram_columns * len(config.engram_layer_ids)
    # Tables are prime-sized from `base` on; the next primes are a little larger than it.
    base = left // (columns * config.engram_head_dim)
    while base > 2 and table_parameters(shaped.replace(engram_vocab_size=base)) > left:
        base -= max(1, base // 1000)
    return shaped.replace(engram_vocab_size=base)
