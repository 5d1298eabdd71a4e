"""Optimisers, by their configured names."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from spinn.model.pair import PairModel
from spinn.training.config import Configuration


def make_optimizer(configuration: Configuration, model: PairModel, extra: nn.Module) -> Optimizer:
    """Return the optimiser of the weights of a model and of its objective.

    Each group has its peak learning rate under ``"peak"``. The policy (the tracker, or the parser)
    is a second group if it has its own rate. A step moves only weights that have a gradient, so
    that PPO's further updates of the policy leave the moments of the rest unchanged.
    """
    options = configuration.training
    reinforce = configuration.reinforce
    policy_rate = None if reinforce is None else reinforce.policy_learning_rate
    separate: list[nn.Parameter] = []
    if policy_rate is not None and model.encoder.policy is not None:
        separate = list(model.encoder.policy.parameters())
    apart = {id(parameter) for parameter in separate}
    rest = [p for p in (*model.parameters(), *extra.parameters()) if id(p) not in apart]
    groups = [{"params": rest, "peak": options.learning_rate}]
    if separate:
        groups.append({"params": separate, "peak": policy_rate})
    rate, decay = options.learning_rate, options.weight_decay
    if options.optimizer == "sgd":
        return SGD(groups, lr=rate, weight_decay=decay, momentum=options.momentum)
    if options.optimizer == "rmsprop":
        return RMSprop(groups, lr=rate, weight_decay=decay, alpha=0.9, eps=1e-6)
    kind = AdamW if options.optimizer == "adamw" else Adam
    return kind(groups, lr=rate, weight_decay=decay, fused=_fused(model))


def _fused(model: nn.Module) -> bool:
    """Return whether every weight has a type that the fused step supports."""
    return all(p.dtype in (torch.float32, torch.float64) for p in model.parameters())
