"""The training loop: epochs of steps, evaluations, checkpoints.

It does not know what it trains: a :class:`spinn.training.task.Task` gives batches, losses and
figures. In several processes (:mod:`spinn.training.distributed`), each runs this loop with its
share of every batch; rank 0 logs, saves and evaluates.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import closing
from typing import Any

import torch
from torch import Tensor

from spinn.learning.averaging import averaged
from spinn.learning.objectives.label import StepResult
from spinn.learning.options import LoopOptions
from spinn.learning.schedules import LearningRate, Schedule
from spinn.support.errors import SpinnError
from spinn.support.runtime import is_out_of_memory, stopped_by_signals
from spinn.training import distributed
from spinn.training.log import Log
from spinn.training.run_directory import RunDirectory
from spinn.training.state import Progress, TrainingState
from spinn.training.task import Task

logger = logging.getLogger(__name__)


class Interruption(Exception):  # noqa: N818 - not an error
    """The user stopped the run; it is saved."""


class Trainer:
    """Train a task.

    Parameters
    ----------
    task
        What is trained.
    options
        Epochs, seed, and what is written.
    schedule
        The schedule of the learning rate.
    run
        The folder of the run.
    log
        Where figures and progress go.

    """

    def __init__(
        self,
        task: Task[Any],
        options: LoopOptions,
        schedule: Schedule,
        run: RunDirectory,
        log: Log,
    ) -> None:
        self.task, self.options, self.run, self.log = task, options, run, log
        device = next(task.model.parameters()).device
        optimizer, rate = task.make_optimizer(), LearningRate(schedule, task.steps())
        self.state = TrainingState(
            task.objective, optimizer, rate, Progress(), device, options.seed
        )
        self._stop_asked = False

    @property
    def progress(self) -> Progress:
        """The position of the run."""
        return self.state.progress

    def resume(self) -> None:
        """Continue from the last checkpoint of the run."""
        self.state.load(self.run, self.task.model)
        done = self.progress
        logger.info(f"Resuming {self.run.path} at epoch {done.epoch + 1}, batch {done.batch + 1}.")

    def train(self) -> None:
        """Train to the end of the last epoch, or until the score stops rising.

        Raises
        ------
        Interruption
            If the user stopped the run; it is saved.
        SpinnError
            If the loss, a figure or a weight is not finite, or a checkpoint cannot be written.

        """
        with stopped_by_signals(self._ask), closing(self.log):
            while self.progress.epoch < self.options.epochs:
                waited = self.progress.epoch - self.progress.best_epoch
                if self.options.patience and waited >= self.options.patience:
                    logger.info(f"No better result on dev for {waited} epochs; stopping early.")
                    break
                if self.state.finished:
                    logger.info("The averaged weights have stopped improving on dev; stopping.")
                    break
                self._epoch()
            self.log.ended(self.progress.step, self.progress.best)

    def _epoch(self) -> None:
        """Train to the end of the current epoch, evaluate, and save."""
        progress, options = self.progress, self.options
        count = self.task.batches_in(progress.epoch)
        begun, before = time.monotonic(), progress.seconds
        done_before = progress.sums.get("pairs", 0.0)
        self.task.begin_epoch(progress.epoch)

        def speed() -> float:
            return (progress.sums["pairs"] - done_before) / max(1e-9, time.monotonic() - begun)

        def state() -> str:
            averages = self.task.with_derived(progress.averages())
            return f"{self.task.summary(averages, short=True)} {speed():.0f} {self.task.unit}/s"

        batches = self.task.batches(progress.epoch, progress.batch)
        name = f"epoch {progress.epoch + 1}/{options.epochs}"
        for batch in self.log.progress(batches, name, progress.batch, count, state):
            rate = self.state.rate.apply(self.state.optimizer, progress.step)
            try:
                progress.add(self._step(batch, progress.epoch + progress.batch / count))
            except RuntimeError as error:
                if is_out_of_memory(error):
                    raise self._too_large() from error
                raise
            progress.step += 1
            progress.batch += 1
            progress.seconds = before + time.monotonic() - begun
            if progress.step % options.log_steps == 0 or progress.batch == count:
                figures = self.task.with_derived(progress.averages())
                self._write("train", figures | {"rate": rate, "speed": speed()}, count)
            every = options.checkpoint_steps
            stop = distributed.any_true(self._stop_asked)
            if stop or (every and progress.step % every == 0):
                self._save(best=False)
            if stop:
                raise Interruption(self.run.path)
        averages = self.task.with_derived(progress.averages())
        progress.end_epoch()
        score = distributed.on_first(lambda: self._evaluate(averages, count))
        progress.seconds = before + time.monotonic() - begun
        best = score > progress.best
        if best:
            progress.best, progress.best_epoch = score, progress.epoch
        self.state.note_score(score)
        self._save(best=best)
        if distributed.any_true(self._stop_asked) and progress.epoch < options.epochs:
            raise Interruption(self.run.path)

    def _step(self, batch: Any, epoch: float) -> dict[str, float]:
        """Take one step on a batch; return its figures, as sums over its examples."""
        distributed.seed_step(self.options.seed, self.progress.step)
        result: StepResult = self.task.forward(batch, epoch)
        self.state.optimizer.zero_grad(set_to_none=True)
        # Losses are sums over the processes; DistributedDataParallel averages the gradients.
        (result.loss * distributed.world_size()).backward()
        self.task.before_step()
        norms = [self._clip(weights) for weights in self.task.weights()]
        loss, figures = self._figures(result, self.task.size(batch))
        self._move(loss, sum(norms[1:], norms[0]))
        further: dict[str, float] = {}
        for update in self.task.further_updates(result):
            gradients = torch.autograd.grad(update.loss, update.weights, materialize_grads=True)
            self.state.optimizer.zero_grad(set_to_none=True)
            pairs = zip(update.weights, distributed.summed(gradients), strict=True)
            for weight, gradient in pairs:
                weight.grad = gradient
            norm = self._clip(update.weights)
            parts = {"loss": update.loss.detach(), **update.figures}
            further = distributed.totals(parts, self.state.device)
            self._move(further.pop("loss"), norm)
        return figures | {name: value * figures["pairs"] for name, value in further.items()}

    def _move(self, loss: float, norm: Tensor) -> None:
        """Step, unless loss or gradient is not finite.

        Raises
        ------
        SpinnError
            Before the step would spoil the weights.

        """
        if math.isfinite(loss) and torch.isfinite(norm):
            self.state.optimizer.step()
            return
        epoch, batch = self.progress.epoch, self.progress.batch
        raise self._diverged(
            f"The loss is {loss:g} and its gradient's norm {norm.item():g} at epoch {epoch + 1}, "
            f"batch {batch + 1} ({self.task.describe(epoch, batch)})"
        )

    def _diverged(self, cause: str) -> SpinnError:
        """Return the error of a number that is not finite; ``cause`` is without a full stop."""
        kept = self.run.kept("best") or "There is no checkpoint yet"
        clip = "--clip" if self.options.clip else "set --clip"
        return SpinnError(f"{cause}. {kept}; lower --learning-rate or {clip}.")

    def _too_large(self) -> SpinnError:
        """Return the error of a batch that does not fit into memory."""
        epoch, batch = self.progress.epoch + 1, self.progress.batch + 1
        return SpinnError(
            f"Batch {batch} of epoch {epoch} does not fit into the memory of "
            f"{self.state.device}. Train again with smaller batches (--batch-size)."
        )

    def _save(self, *, best: bool) -> None:
        """Write a checkpoint, unless the last step spoiled the weights."""
        self.task.gather_state()
        if not self.state.is_finite(self.task.model):
            raise self._diverged(f"Weights are not finite after step {self.progress.step}")
        self.state.save(self.run, self.task.model, best=best)

    def _clip(self, weights: list[torch.nn.Parameter]) -> Tensor:
        """Clip the norm of the gradient of some weights; return what it was."""
        limit = self.options.clip or math.inf
        return torch.nn.utils.clip_grad_norm_(weights, limit, foreach=True)

    def _figures(self, result: StepResult, size: int) -> tuple[float, dict[str, float]]:
        """Return the loss, and the sums of all figures over the batch of all processes."""
        own = {"objective": result.loss.detach(), **result.sums, **result.means}
        sums = distributed.totals({**own, "pairs": torch.tensor(size)}, self.state.device)
        for name in result.means:
            sums[name] *= sums["pairs"]
        return sums.pop("objective"), sums

    def _evaluate(self, averages: dict[str, float], count: int) -> float:
        """Evaluate, report, and return the score."""
        with averaged(self.state.optimizer):
            figures = self.task.evaluate()
        self._write("dev", figures, count)
        evaluated = self.task.evaluated()
        if evaluated is not None:
            self.log.evaluated(self.progress.step, evaluated)
        logger.info(
            f"epoch {self.progress.epoch}/{self.options.epochs}: train "
            f"{self.task.summary(averages)}; dev {self.task.summary(figures)}"
        )
        return self.task.score(figures)

    def _write(self, kind: str, figures: dict[str, float], count: int) -> None:
        progress = self.progress
        epoch = round(progress.epoch + progress.batch / count, 6)
        for name, value in figures.items():
            if not math.isfinite(value):
                raise self._diverged(f"The {kind} {name} is {value:g} in epoch {math.ceil(epoch)}")
        self.log.write(kind, progress.step, figures, epoch=epoch, seconds=progress.seconds)

    def _ask(self) -> None:
        """Stop after the current step; at a second signal, at once."""
        if self._stop_asked:
            raise KeyboardInterrupt
        self._stop_asked = True
        logger.info("Stopping after this step; press Ctrl-C again to stop without saving.")
