"""Optimisers, registered by the names that ``--optimizer`` takes.

An optimiser is a frozen dataclass of its options that makes a :class:`torch.optim.Optimizer`.
Another one is registered in :data:`OPTIMIZERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn, optim

from spinn.model.pair import PairModel
from spinn.support.options import Group, option
from spinn.support.registry import Choices, Registry

OPTIMIZERS: Registry[type[OptimizerOptions]] = Registry("optimiser")
"""The optimisers that ``--optimizer`` takes, by name."""


def _name(default: str) -> Any:
    return option(default, "optimiser", choices=Choices(OPTIMIZERS))


@dataclass(frozen=True)
class OptimizerOptions:
    """The optimiser and its learning rate."""

    optimizer: str = _name("adamw")
    learning_rate: float = option(3e-3, "peak learning rate", minimum=0)
    weight_decay: float = option(0.0, "decay of weights (L2 penalty unless adamw)", minimum=0)

    def make(self, groups: list[dict[str, Any]], *, fused: bool) -> optim.Optimizer:
        """Return the optimiser.

        Parameters
        ----------
        groups
            Groups of weights, as torch's optimisers take them.
        fused
            Whether every weight has a type that a fused step supports.

        """
        raise NotImplementedError


@dataclass(frozen=True)
class RMSprop(OptimizerOptions):
    """RMSprop (Tieleman and Hinton 2012), with the constants of Bowman et al. 2016."""

    optimizer: str = _name("rmsprop")

    def make(self, groups: list[dict[str, Any]], *, fused: bool) -> optim.Optimizer:
        """Return the optimiser."""
        return optim.RMSprop(
            groups, lr=self.learning_rate, weight_decay=self.weight_decay, alpha=0.9, eps=1e-6
        )


@dataclass(frozen=True)
class Adam(OptimizerOptions):
    """Adam (Kingma and Ba 2015)."""

    optimizer: str = _name("adam")

    def make(self, groups: list[dict[str, Any]], *, fused: bool) -> optim.Optimizer:
        """Return the optimiser."""
        return optim.Adam(
            groups, lr=self.learning_rate, weight_decay=self.weight_decay, fused=fused
        )


@dataclass(frozen=True)
class AdamW(OptimizerOptions):
    """Adam with decoupled decay of weights (Loshchilov and Hutter 2019)."""

    optimizer: str = _name("adamw")

    def make(self, groups: list[dict[str, Any]], *, fused: bool) -> optim.Optimizer:
        """Return the optimiser."""
        return optim.AdamW(
            groups, lr=self.learning_rate, weight_decay=self.weight_decay, fused=fused
        )


@dataclass(frozen=True)
class SGD(OptimizerOptions):
    """Stochastic gradient descent with momentum."""

    optimizer: str = _name("sgd")
    momentum: float = option(0.9, "momentum of SGD", minimum=0, maximum=0.9999)

    def make(self, groups: list[dict[str, Any]], *, fused: bool) -> optim.Optimizer:
        """Return the optimiser."""
        return optim.SGD(
            groups,
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
        )


OPTIMIZERS.register("rmsprop", RMSprop)
OPTIMIZERS.register("adam", Adam)
OPTIMIZERS.register("adamw", AdamW)
OPTIMIZERS.register("sgd", SGD)

OPTIMIZER_GROUP = Group("optimizer", OptimizerOptions, variants=OPTIMIZERS)


def make_optimizer(
    options: OptimizerOptions,
    model: PairModel,
    extra: nn.Module,
    policy_learning_rate: float | None = None,
    scaled: Sequence[nn.Parameter] = (),
    factor: float = 1.0,
) -> optim.Optimizer:
    """Return the optimiser of the weights of a model and of its objective.

    Each group has its peak learning rate under ``"peak"``. A step moves only weights that have a
    gradient, so that PPO's further updates of the policy leave the moments of the rest unchanged.

    Parameters
    ----------
    options
        The optimiser.
    model, extra
        The model, and the module of the objective.
    policy_learning_rate
        Peak rate of the policy (the tracker, or the parser), which is then a second group;
        ``None`` for that of the model.
    scaled, factor
        Weights whose peak rate is multiplied by a factor, which are then another group.

    """
    scaled = [] if factor == 1 else list(scaled)
    separate: list[nn.Parameter] = []
    if policy_learning_rate is not None and model.encoder.policy is not None:
        taken = set(map(id, scaled))
        separate = [p for p in model.encoder.policy.parameters() if id(p) not in taken]
    apart = {id(parameter) for parameter in (*separate, *scaled)}
    rest = [p for p in (*model.parameters(), *extra.parameters()) if id(p) not in apart]
    groups: list[dict[str, Any]] = [{"params": rest, "peak": options.learning_rate}]
    if separate:
        groups.append({"params": separate, "peak": policy_learning_rate})
    if scaled:
        groups.append({"params": scaled, "peak": factor * options.learning_rate})
    return options.make(groups, fused=_fused(model))


def _fused(model: nn.Module) -> bool:
    """Return whether every weight has a type that the fused step supports."""
    return all(p.dtype in (torch.float32, torch.float64) for p in model.parameters())
