"""The state of a run: its progress, and what a checkpoint keeps of it besides the weights.

Which batch a step reads, its learning rate and its weights in the loss are functions of the step
and the configuration. Everything else that a step depends on is here, so that a resumed run
continues exactly where it stopped.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from spinn.learning.averaging import NTASGD, averaged
from spinn.learning.schedules import LearningRate
from spinn.support.errors import SpinnError
from spinn.training import distributed
from spinn.training.log import drop_later_lines
from spinn.training.run_directory import RunDirectory
from spinn.weights import has_former_names

_MISFITS = (AttributeError, LookupError, OverflowError, RuntimeError, TypeError, ValueError)


@dataclass
class Progress:
    """The position of a run.

    Attributes
    ----------
    step
        Steps done.
    epoch, batch
        Epochs done, and batches done in the current one.
    sums, counts
        Sums of the figures over the current epoch, and the number of examples of each: a figure
        that only some steps have is averaged over those.
    best, best_epoch
        The best score so far, and after how many epochs.
    seconds
        Time spent, over all parts of the run.

    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    best: float = -1.0
    best_epoch: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.sums and not self.counts:  # checkpoints of early versions lack the counts
            self.counts = dict.fromkeys(self.sums, self.sums["pairs"])

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> Progress:
        """Return the position that a checkpoint holds.

        Raises
        ------
        TypeError, ValueError
            If a value is missing, of another type, or negative where it counts.

        """
        progress = cls(**values)
        for name, default in asdict(cls()).items():
            value = getattr(progress, name)
            numbers = value.values() if isinstance(default, dict) else [value]
            if not all(isinstance(number, (int, float)) for number in numbers):
                raise TypeError(f"{name} of its progress is not a number")
            if type(default) is int and (type(value) is not int or value < 0):
                raise ValueError(f"{name} of its progress is not a count")
        return progress

    def add(self, figures: dict[str, float]) -> None:
        """Add the figures of a step, as sums over its examples."""
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0.0) + figures["pairs"]

    def averages(self) -> dict[str, float]:
        """Return the mean of each figure of the current epoch."""
        averages = {n: self.sums[n] / self.counts[n] for n in self.sums if n != "pairs"}
        if "correct" in averages:
            averages["accuracy"] = averages.pop("correct")
        return averages

    def end_epoch(self) -> None:
        """Begin the next epoch."""
        self.epoch, self.batch = self.epoch + 1, 0
        self.sums, self.counts = {}, {}


@dataclass
class TrainingState:
    """All that a run continues from.

    Attributes
    ----------
    objective, optimizer, rate
        Parts with a state.
    progress
        The position.
    device, seed
        Of the run.

    """

    objective: nn.Module
    optimizer: Optimizer
    rate: LearningRate
    progress: Progress
    device: torch.device
    seed: int

    def note_score(self, score: float) -> None:
        """Record the score of an evaluation, for the schedule and the optimiser."""
        self.rate.note_score(score)
        if isinstance(self.optimizer, NTASGD):
            self.optimizer.note_score(score)

    @property
    def finished(self) -> bool:
        """Whether the optimiser ends the training."""
        return isinstance(self.optimizer, NTASGD) and self.optimizer.finished

    def is_finite(self, model: nn.Module) -> bool:
        """Return whether all weights and buffers of model and objective are finite."""
        parts = [*model.state_dict().values(), *self.objective.state_dict().values()]
        return bool(torch.stack([part.isfinite().all() for part in parts]).all())

    def save(self, run: RunDirectory, model: nn.Module, *, best: bool) -> None:
        """Write a checkpoint; only rank 0 does.

        If the optimiser averages weights, the model is saved with the averages, and the state has
        the last weights in their place.
        """
        with averaged(self.optimizer):
            self._save(run, model, best=best)

    def _save(self, run: RunDirectory, model: nn.Module, *, best: bool) -> None:
        state = {
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.rate.state_dict(),
            "progress": vars(self.progress),
            "random": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            state["random_cuda"] = torch.cuda.get_rng_state(self.device)
        step = self.progress.step
        distributed.on_first(lambda: run.save(step, model, state, best=best))

    def load(self, run: RunDirectory, model: nn.Module) -> None:
        """Read the last checkpoint, and drop the metrics that were written after it.

        Raises
        ------
        SpinnError
            If there is none, or it does not fit.

        """
        weights = distributed.on_first(lambda: run.weights("last"))
        run.load_weights(model, weights, "last")
        state: dict[str, Any] = distributed.on_first(run.training_state)
        try:
            self.objective.load_state_dict(state["objective"])
            optimizer = state["optimizer"]
            if has_former_names(weights):
                optimizer = in_present_order(optimizer, self.optimizer, model)
            self.optimizer.load_state_dict(optimizer)
            if isinstance(self.optimizer, NTASGD):
                self.optimizer.exchange()  # the model has the averages, see save
            self.rate.load_state_dict(state["schedule"])
            self.progress = Progress.of_dict(state["progress"])
            torch.set_rng_state(state["random"])
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise SpinnError(
                f"{run.path}: the last checkpoint does not fit the run's configuration "
                f"({error}). Restore the config.json it was trained with."
            ) from error
        if self.device.type == "cuda" and "random_cuda" in state:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        elif self.device.type == "cuda":  # the run comes from a machine without a GPU
            torch.cuda.manual_seed(self.seed)
        step, evaluated = self.progress.step, self.progress.batch == 0
        distributed.on_first(lambda: drop_later_lines(run.metrics, step, evaluated=evaluated))


_FORMER_ORDER = ("leaves", "encoder.composer", "classifier", "encoder.parser")


def in_present_order(
    state: dict[str, Any], optimizer: Optimizer, model: nn.Module
) -> dict[str, Any]:
    """Return the state of an optimiser with its parameters in present order.

    An optimiser knows parameters by their position. In earlier versions, a parser apart was the
    last part of the model; it is now the first part of the encoder. The parameters of the objective
    come last in both.

    Parameters
    ----------
    state
        State of the optimiser, as an earlier version saved it.
    optimizer, model
        The present optimiser, and the model with a parser apart.

    """
    part_of = {
        id(parameter): number
        for number, part in enumerate(_FORMER_ORDER)
        for parameter in model.get_submodule(part).parameters()
    }
    groups = []
    for saved, group in zip(state["param_groups"], optimizer.param_groups, strict=True):
        parts = [part_of.get(id(parameter), len(_FORMER_ORDER)) for parameter in group["params"]]
        former = sorted(range(len(parts)), key=parts.__getitem__)
        numbers = dict(zip(former, saved["params"], strict=True))
        groups.append(saved | {"params": [numbers[place] for place in range(len(parts))]})
    return state | {"param_groups": groups}
