# SPDX-License-Identifier: Apache-2.0
"""The shape of a model: the fields of config.json that the trainer can vary, and the ones it fixes.

Field names are the checkpoint's (docs/CHECKPOINT.md), so reading and writing config.json is a copy.
"""
import dataclasses
import json

# What this implementation always is. A config.json that says otherwise is refused, never misread.
FIXED = {
    "architectures": ["DeepseekV3EngramForCausalLM"],
    "model_type": "deepseek_v3_engram",
    "q_lora_rank": None,
    "moe_layer_freq": 1,
    "n_group": 1,
    "topk_group": 1,
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
    "norm_topk_prob": True,
    "routed_scaling_factor": 1.0,
    "hidden_act": "silu",
    "attention_bias": False,
    "tie_word_embeddings": False,
    "rope_interleave": True,
    "rope_scaling": None,
    "num_nextn_predict_layers": 0,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "hc_head_mode": "learned",
    "engram_pad_token_id": 2,
    "engram_gate_sqrt": True,
    "engram_bias": False,
    "torch_dtype": "bfloat16",
}


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Defaults are the demo model's. `engram_num_embeddings` and `engram_compressed_vocab_size` follow from the
    tokenizer and are filled in when the model is built."""
    vocab_size: int = 8192
    hidden_size: int = 192
    num_hidden_layers: int = 5
    num_attention_heads: int = 6
    kv_lora_rank: int = 96
    qk_nope_head_dim: int = 32
    qk_rope_head_dim: int = 16
    v_head_dim: int = 32
    intermediate_size: int = 512
    moe_intermediate_size: int = 160
    first_k_dense_replace: int = 1
    n_routed_experts: int = 8
    n_shared_experts: int = 1
    num_experts_per_tok: int = 2
    rms_norm_eps: float = 1e-20
    rope_theta: float = 10000.0
    max_position_embeddings: int = 1024
    hc_mult: int = 4
    hc_sinkhorn_iters: int = 20
    hc_eps: float = 1e-6
    engram_layer_ids: tuple = (1, 3)
    engram_max_ngram_size: int = 3
    engram_n_heads: int = 4
    engram_head_dim: int = 32
    engram_vocab_size: int = 22000
    engram_num_embeddings: tuple = ()
    engram_compressed_vocab_size: int = 0
    engram_seed: int = 0
    engram_kernel_size: int = 4
    engram_conv_dilation: int = 3
    engram_conv_eps: float = 1e-5
    engram_norm_eps: float = 1e-20

    @property
    def engram_columns(self):
        """Rows that one token looks up in one Engram layer: one for each order and head."""
        return (self.engram_max_ngram_size - 1) * self.engram_n_heads

    @property
    def engram_width(self):
        """Values that one token looks up in one Engram layer."""
        return self.engram_columns * self.engram_head_dim

    def replace(self, **changes):
        return dataclasses.replace(self, **changes)

    def to_json(self):
        own = {name: list(value) if isinstance(value, tuple) else value
               for name, value in dataclasses.asdict(self).items()}
        return {**FIXED, "num_key_value_heads": self.num_attention_heads, **own}

    @classmethod
    def from_json(cls, fields):
        for name, only in FIXED.items():
            if name in fields and fields[name] != only and name != "architectures":
                raise ValueError(f"config.json: {name} is {fields[name]!r}; this trainer only implements {only!r}")
        if fields.get("hc_mult", 1) < 2:
            raise ValueError("config.json: hc_mult is 1; this trainer only implements hyper-connections (2 or more)")
        known = {field.name for field in dataclasses.fields(cls)}
        own = {name: tuple(value) if isinstance(value, list) else value
               for name, value in fields.items() if name in known}
        return cls(**own)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls.from_json(json.load(file))
