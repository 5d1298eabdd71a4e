"""Stochastic gradient descent with averaged weights, started when validation stops improving.

NT-ASGD of Merity, Keskar and Socher (2018, arXiv 1708.02182), algorithm 1: plain steps of SGD, and,
from a trigger on, the mean of the weights after each further step. The mean is what is evaluated
and saved; the steps go on from the last weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, optim

from spinn.learning.optimizers import OPTIMIZERS, OptimizerOptions
from spinn.support.options import Group, option
from spinn.support.registry import Choices, Registry


class NTASGD(optim.Optimizer):
    """SGD whose weights are averaged from a trigger on.

    ``torch.optim.ASGD`` applies the learning rate of a step in the step after it, so it is unfit
    for rates that change from step to step.

    Parameters
    ----------
    params
        Weights or groups of them.
    lr
        Learning rate.
    weight_decay
        L2 penalty.
    evaluations
        The trigger: the score is below the best of all evaluations but this number of last ones.
    averaging
        Whether averaging begins with the first step. The trigger then sets :attr:`finished`.

    """

    def __init__(
        self,
        params: Any,
        lr: float,
        weight_decay: float = 0.0,
        evaluations: int = 5,
        averaging: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self._from_start = averaging
        self.param_groups[0] |= {  # a checkpoint keeps it
            "evaluations": evaluations,
            "scores": [],
            "averaging": averaging,
            "averaged": 0,
            "finished": False,
        }

    @property
    def averaging(self) -> bool:
        """Whether weights are averaged."""
        return cast(bool, self.param_groups[0]["averaging"])

    @property
    def finished(self) -> bool:
        """Whether the averages, begun with the first step, have stopped improving."""
        # Checkpoints of earlier versions have it after averaging by the trigger, too.
        return self._from_start and cast(bool, self.param_groups[0]["finished"])

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move the weights, and then their averages if they are averaged."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        rule = self.param_groups[0]
        if rule["averaging"]:
            rule["averaged"] += 1
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    gradient = weight.grad.add(weight, alpha=group["weight_decay"])
                    weight.sub_(gradient, alpha=group["lr"])
                if rule["averaging"]:
                    self._average(weight, rule["averaged"])
        return loss

    def _average(self, weight: Tensor, count: int) -> None:
        if count == 1:
            self.state[weight]["average"] = weight.clone()
        else:
            average = self.state[weight]["average"]
            average.add_(weight - average, alpha=1 / count)

    @torch.no_grad()
    def exchange(self) -> None:
        """Exchange the weights and their averages, if there are any."""
        for group in self.param_groups:
            for weight in group["params"]:
                if "average" in self.state[weight]:
                    average = self.state[weight]["average"]
                    last = weight.clone()
                    weight.copy_(average)
                    average.copy_(last)

    def note_score(self, score: float) -> None:
        """Record the score of an evaluation; begin averaging, or finish, if the trigger says so."""
        rule = self.param_groups[0]
        scores, last = rule["scores"], rule["evaluations"]
        if len(scores) > last and score < max(scores[: len(scores) - last]):
            rule["finished"] = self._from_start
            rule["averaging"] = True
        scores.append(score)


@contextmanager
def averaged(optimizer: optim.Optimizer) -> Iterator[None]:
    """Run the block with averaged weights in the model, if the optimiser averages them."""
    if not isinstance(optimizer, NTASGD):
        yield
        return
    optimizer.exchange()
    try:
        yield
    finally:
        optimizer.exchange()


LANGUAGE_OPTIMIZERS: Registry[type[OptimizerOptions]] = Registry("optimiser")
"""The optimisers of language models, by name: those of :data:`OPTIMIZERS`, and ``nt-asgd``."""


def _name(default: str) -> Any:
    return option(default, "optimiser", choices=Choices(LANGUAGE_OPTIMIZERS))


@dataclass(frozen=True)
class LanguageOptimizerOptions(OptimizerOptions):
    """The optimiser of the language model, and its learning rate."""

    optimizer: str = _name("adamw")


@dataclass(frozen=True)
class NTASGDOptions(OptimizerOptions):
    """SGD with weights that are averaged once validation stops improving."""

    optimizer: str = _name("nt-asgd")
    trigger_evaluations: int = option(
        5, "averaging begins when dev is worse than before this number of evaluations", minimum=1
    )
    average_from: str = option(
        "trigger",
        "start: average from the first step, and stop training where averaging would begin",
        choices=("trigger", "start"),
    )

    def make(self, groups: list[dict[str, Any]], *, fused: bool) -> optim.Optimizer:
        """Return the optimiser."""
        return NTASGD(
            groups,
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            evaluations=self.trigger_evaluations,
            averaging=self.average_from == "start",
        )


for _known, _kind in OPTIMIZERS.items():
    LANGUAGE_OPTIMIZERS.register(_known, _kind)
LANGUAGE_OPTIMIZERS.register("nt-asgd", NTASGDOptions)

LANGUAGE_OPTIMIZER_GROUP = Group(
    "optimizer", LanguageOptimizerOptions, variants=LANGUAGE_OPTIMIZERS
)
