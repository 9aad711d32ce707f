# SPDX-License-Identifier: Apache-2.0
"""Who updates what: Muon the matrices, row-wise Adagrad the Engram tables, AdamW the rest.

`Optimizers` has one learning-rate factor for all, so that a schedule is one number.
"""
import torch
from torch import nn


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal by five Newton-Schulz steps (Jordan et al., 2024).

    Stacked parameters are updated matrix by matrix; matrices of one shape are handled in one batch.
    """

    def __init__(self, params, lr, dtype=torch.float32, momentum=0.95, weight_decay=0.05):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))
        self.dtype = dtype

    @staticmethod
    def orthogonal(x, dtype):
        """x [matrices, rows, columns], roughly U·Vᵀ of each matrix; the coefficients are Muon's."""
        tall = x.shape[1] > x.shape[2]
        x = x.transpose(1, 2) if tall else x
        x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(dtype)
        for _ in range(5):
            gram = x @ x.transpose(1, 2)
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * (gram @ gram)) @ x
        return (x.transpose(1, 2) if tall else x).float()

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for parameter in group["params"]:
                gradient = parameter.grad
                momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                momentum.lerp_(gradient, 1 - group["momentum"])
                update = gradient.lerp(momentum, group["momentum"])
                matrices = update.view(-1, getattr(parameter, "matrix_rows", update.shape[-2]), update.shape[-1])
                by_shape.setdefault(matrices.shape[1:], []).append((parameter, matrices))
            for (rows, columns), members in by_shape.items():
                size = max(1, rows / columns) ** 0.5
                updates = self.orthogonal(torch.cat([matrices for _, matrices in members]), self.dtype)
                for (parameter, _), update in zip(members, updates.split([len(m) for _, m in members])):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update.view_as(parameter), alpha=-group["lr"] * size)


class RowAdagrad(torch.optim.Optimizer):
    """Adagrad with one accumulator per table row, for sparse gradients: rows nobody looked up cost nothing.

    `tokens` of a step undoes the mean over the batch: a row's update must not depend on how many other tokens there
    were.
    """

    def __init__(self, params, lr, largest=50.0):
        super().__init__(params, dict(lr=lr, largest=largest))

    @torch.no_grad()
    def step(self, tokens):
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                gradient = table.grad.coalesce()
                rows, values = gradient.indices()[0], gradient.values() * tokens
                values.clamp_(-group["largest"], group["largest"])
                total = self.state[table].setdefault("total", torch.zeros(len(table), device=table.device))
                total[rows] += values.pow(2).mean(-1)
                table.index_add_(0, rows, values / (total[rows].sqrt() + 1e-3).unsqueeze(-1), alpha=-group["lr"])


class Optimizers:
    def __init__(self, model, rates, dtype):
        """rates: the `rates` of a recipe (recipe.py); dtype: of Muon's products."""
        matrices, tables, other = [], [], []
        for name, parameter in model.named_parameters():
            if name.endswith("engram.embed.weight"):
                tables.append(parameter)
            elif name.endswith("_proj.weight") or "_proj" in name or name.endswith("wkv.weight"):
                if name.endswith("wkv.weight"):
                    parameter.matrix_rows = model.config.hidden_size  # one matrix for each key block and the value
                matrices.append(parameter)
            elif name not in ("model.embed_tokens.weight", "lm_head.weight"):
                other.append(parameter)
        self.dense = [parameter for name, parameter in model.named_parameters()
                      if not name.endswith("engram.embed.weight")]
        adam = [dict(params=[model.model.embed_tokens.weight], lr=rates.embedding),
                dict(params=[model.lm_head.weight], lr=rates.head), dict(params=other, lr=rates.other)]
        self.tables = RowAdagrad(tables, rates.tables) if tables else None
        self.all = {"muon": Muon(matrices, rates.matrices, dtype),
                    "adam": torch.optim.AdamW(adam, betas=(0.9, 0.95), weight_decay=0.0, foreach=True)}
        if self.tables:
            self.all["tables"] = self.tables
        for optimizer in self.all.values():
            for group in optimizer.param_groups:
                group["full_lr"] = group["lr"]

    def step(self, factor, tokens):
        """Updates everything with `factor` times the full learning rates; → the gradient's norm."""
        norm = nn.utils.clip_grad_norm_(self.dense, 1.0)
        for optimizer in self.all.values():
            for group in optimizer.param_groups:
                group["lr"] = group["full_lr"] * factor
            if optimizer is self.tables:
                optimizer.step(tokens)
            else:
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def state_dict(self):
        return {name: optimizer.state_dict() for name, optimizer in self.all.items()}

    def load_state_dict(self, state):
        for name, optimizer in self.all.items():
            optimizer.load_state_dict(state[name])
