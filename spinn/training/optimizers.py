"""Optimisers and learning-rate schedules, by the names that the configuration has for them."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from spinn.model.pair import PairModel
from spinn.training.config import Configuration, TrainingOptions


def make_optimizer(configuration: Configuration, model: PairModel, extra: nn.Module) -> Optimizer:
    """Make the optimiser of a model and of the objective's own weights.

    There are two groups, each with its peak rate under ``"peak"``: the policy (the tracker, or the
    parser) of a model that learns by REINFORCE or PPO, which may have a rate of its own, and
    everything else. A step moves the weights that have a gradient and no others, so the further
    updates of PPO, which are the policy's alone, leave the moments of the rest as they are.
    """
    options = configuration.training
    policy_rate = configuration.policy.policy_learning_rate
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
    """Use the fused step where every weight is of a kind it supports."""
    return all(p.dtype in (torch.float32, torch.float64) for p in model.parameters())


class Schedule:
    """The learning rate, as a share of its peak, at each step.

    All but ``plateau`` are functions of the step alone; ``plateau`` remembers how many decays there
    were, and so is part of a checkpoint (:meth:`state_dict`).
    """

    def __init__(self, options: TrainingOptions, total_steps: int) -> None:
        self._options = options
        self._total = max(1, total_steps)
        self._decays = 0
        self._best = -math.inf

    def share(self, step: int) -> float:
        """Return the share of the peak rate for step number ``step``, from 0."""
        options = self._options
        if options.schedule == "cosine":
            rising = int(options.warmup * self._total)
            if step < rising:
                return (step + 1) / rising
            done = (step - rising) / max(1, self._total - rising)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        if options.schedule == "step":
            return options.decay ** (step // options.decay_steps)
        if options.schedule == "exponential":
            return options.decay ** (step / options.decay_steps)
        return options.decay**self._decays

    def apply(self, optimizer: Optimizer, step: int) -> float:
        """Set the rates for a step; return that of the first group."""
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * self.share(step)
        return float(optimizer.param_groups[0]["lr"])

    def note_accuracy(self, accuracy: float) -> None:
        """Hear of a dev accuracy; ``plateau`` decays when it is no better than the best before."""
        if self._options.schedule == "plateau" and accuracy <= self._best:
            self._decays += 1
        self._best = max(self._best, accuracy)

    def state_dict(self) -> dict[str, float]:
        """Return what a checkpoint has to keep."""
        return {"decays": self._decays, "best": self._best}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take up where a checkpoint left off."""
        self._decays, self._best = int(state["decays"]), state["best"]
