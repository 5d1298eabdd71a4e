"""The training loop: batches in, steps, evaluations, checkpoints, and metrics out.

A run is a sequence of steps numbered from 0; which batch a step sees, its learning rate and its
weights in the loss are functions of that number and the configuration. What is not (weights,
moments of the optimiser, torch's random state, sums of the running epoch) travels in a checkpoint,
so that a resumed run goes on exactly where the first one stopped.

Of several processes (:mod:`spinn.training.distributed`), each goes through this loop, with its
share of every batch; the first writes, speaks and evaluates.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from spinn.data.batching import Batch, Batcher
from spinn.data.corpus import Corpus
from spinn.data.dataset import PairDataset
from spinn.data.examples import UNITS
from spinn.data.symmetries import Symmetries
from spinn.errors import DataError, SpinnError
from spinn.evaluation.evaluate import evaluate, parse
from spinn.files import write_whole
from spinn.model.pair import PairModel
from spinn.runtime import arithmetic, stopped_by
from spinn.training import distributed
from spinn.training.checkpoint import RunDirectory
from spinn.training.config import Configuration
from spinn.training.objective import Objective, StepResult, TrainingStep
from spinn.training.optimizers import Schedule, make_optimizer
from spinn.training.ppo import SampledTrees
from spinn.trees import TreeSource, tree_source


class Interruption(Exception):  # noqa: N818 - nothing went wrong
    """The person stopped the run; it is saved."""


@dataclass
class Progress:
    """Where a run is.

    Attributes
    ----------
    step
        Steps done in all.
    epoch, batch
        Epochs done, and batches done in the one that is running.
    sums, counts
        Sums of the figures over the running epoch, and over how many examples each was taken: what
        is known of a part of the epoch only, such as rewards where a warm start ends in it, is
        averaged over that part.
    best, best_epoch
        The best dev accuracy so far, and after how many epochs.
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
        if self.sums and not self.counts:  # an older checkpoint does not have them
            self.counts = dict.fromkeys(self.sums, self.sums["pairs"])


class Trainer:
    """Train a model on a corpus.

    Parameters
    ----------
    configuration
        All options.
    corpus
        The sets; ``train`` and ``dev`` are wanted.
    model
        The model, on its device.
    run
        Where to write.
    say
        Called with lines for the person.

    """

    def __init__(
        self,
        configuration: Configuration,
        corpus: Corpus,
        model: PairModel,
        run: RunDirectory,
        say: Callable[[str], None],
    ) -> None:
        options = configuration.training
        self.configuration, self.corpus, self.model, self.run = configuration, corpus, model, run
        self._say = say
        self._unit = UNITS[model.sides]
        self.device = next(model.parameters()).device
        self._symmetries = (
            Symmetries.of_logic(corpus.vocabulary, corpus.labels) if options.symmetries else None
        )
        counts = self._label_counts()
        self.objective = Objective(configuration, model.sides, counts).to(self.device)
        self.optimizer = make_optimizer(configuration, model, self.objective)
        self._forward = distributed.data_parallel(TrainingStep(model, self.objective))
        self._learned = self._batcher(corpus.sets["train"], configuration.source)
        self._taught = self._batcher(corpus.sets["train"], configuration.teacher)
        self._settled = False  # whether the batches learned from have the trees of the parser
        self._batches = 0  # of the running epoch
        self.schedule = Schedule(options, self._steps())
        self.progress = Progress()
        self._stop_asked = False
        self._logs = _TensorBoard(run, enabled=options.tensorboard)  # written to by the first

    def _label_counts(self) -> Tensor:
        """Count the labels that are learned from, ``[labels]``, as often as they are read."""
        counts = self.corpus.sets["train"].label_counts(len(self.corpus.labels))
        if self._symmetries is None:
            return torch.from_numpy(counts)
        return torch.from_numpy(self._symmetries.label_counts(counts))

    def _batcher(self, data: PairDataset, source: TreeSource | None) -> Batcher:
        options = self.configuration.training
        return Batcher(
            data,
            source,
            batch_size=options.batch_size,
            token_budget=options.token_budget,
            pool_batches=options.pool_batches,
            seed=options.seed,
            by_height=self.model.by_height,
            share=self.model.shares(training=True),
            rank=distributed.rank(),
            world_size=distributed.world_size(),
            curriculum=self.configuration.curriculum,
            symmetries=self._symmetries,
        )

    def _steps(self) -> int:
        """Count the steps of all epochs (by the first whole one, where a token budget varies)."""
        curriculum, epochs = self.configuration.curriculum, self.configuration.training.epochs
        partial = 0 if curriculum is None else curriculum.epochs
        steps = [len(self._taught.order(epoch)) for epoch in range(partial + 1)]
        return sum(steps) + (epochs - len(steps)) * steps[-1]

    def resume(self) -> None:
        """Take up the last checkpoint of the run.

        Raises
        ------
        SpinnError
            If there is none, or it does not fit.

        """
        weights = distributed.on_first(lambda: self.run.weights("last"))
        self.run.fit(self.model, weights, "last")
        state = distributed.on_first(self.run.training_state)
        try:
            self.objective.load_state_dict(state["objective"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.progress = Progress(**state["progress"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise SpinnError(
                f"{self.run.path}: the last checkpoint does not fit the run's configuration "
                f"({error}). Restore the config.json it was trained with."
            ) from error
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and "random_cuda" in state:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        elif self.device.type == "cuda":  # the run comes from a machine without a GPU
            torch.cuda.manual_seed(self.configuration.training.seed)
        distributed.on_first(lambda: _drop_later_lines(self.run, self.progress.step))

    def train(self) -> None:
        """Run to the end of the last epoch, or until patience is lost.

        Raises
        ------
        Interruption
            If the person asked to stop; the run is saved.
        SpinnError
            If the loss is no longer finite, or a checkpoint cannot be written.

        """
        options = self.configuration.training
        with stopped_by(("SIGINT", "SIGTERM"), self._ask), closing(self._logs):
            while self.progress.epoch < options.epochs:
                waited = self.progress.epoch - self.progress.best_epoch
                if options.patience and waited >= options.patience:
                    self._say(f"No better dev accuracy for {waited} epochs; stopping early.")
                    break
                self._epoch()

    def _epoch(self) -> None:
        """Train to the end of the running epoch, evaluate, and save."""
        options, progress = self.configuration.training, self.progress
        self._batches = len(self._taught.order(progress.epoch))  # a token budget lets it vary
        begun, before = time.monotonic(), progress.seconds
        pairs_at_start = progress.sums.get("pairs", 0.0)
        self._tell_what_is_read(progress.epoch)
        if not self._settled and self.configuration.follows_own_trees(progress.epoch):
            self._settle()
        self.model.train()
        if self._settled and self.model.encoder.parser is not None:
            self.model.encoder.parser.eval()  # also what its batch norms know stays as it is
        for batch in self._bar(self._epoch_batches()):
            rate = self.schedule.apply(self.optimizer, progress.step)
            self._count(self._step(batch))
            progress.seconds = before + time.monotonic() - begun
            if progress.step % options.log_steps == 0 or progress.batch == self._batches:
                pairs = progress.sums["pairs"] - pairs_at_start
                speed = pairs / (time.monotonic() - begun)
                self._write_metrics("train", self._averages() | {"rate": rate, "speed": speed})
            saved = bool(options.checkpoint_steps) and progress.step % options.checkpoint_steps == 0
            stop = distributed.any_true(self._stop_asked)
            if saved or stop:
                self._save(best=False)
            if stop:
                raise Interruption(self.run.path)
        averages = self._averages()
        progress.epoch, progress.batch = progress.epoch + 1, 0
        progress.sums, progress.counts = {}, {}
        accuracy = distributed.on_first(lambda: self._evaluate(averages))
        progress.seconds = before + time.monotonic() - begun
        best = accuracy > progress.best
        if best:
            progress.best, progress.best_epoch = accuracy, progress.epoch
        self.schedule.note_accuracy(accuracy)
        self._save(best=best)
        if distributed.any_true(self._stop_asked) and progress.epoch < options.epochs:
            raise Interruption(self.run.path)

    def _tell_what_is_read(self, epoch: int) -> None:
        curriculum = self.configuration.curriculum
        if curriculum is not None and epoch < curriculum.epochs:
            data, rows = self.corpus.sets["train"], self._taught.rows(epoch)
            self._say(
                f"Epoch {epoch + 1} reads {len(rows):,} of {len(data):,} {self._unit}: "
                f"those of up to {data.longest[rows].max()} words a sentence."
            )

    def _settle(self) -> None:
        """Parse the training set with the parser as it is, and follow these trees from now on."""
        data, precision = self.corpus.sets["train"], self.configuration.training.precision
        self._say("The parser is kept as it is from now on; parsing the training set with it.")
        trees = parse(self.model, data, precision=precision)
        self._learned = self._batcher(data.with_trees(trees), tree_source("gold"))
        self._settled = True

    def _epoch_batches(self) -> Iterator[Batch]:
        """Yield the rest of the running epoch; with the teacher's trees as long as they rule."""
        source, done = self.configuration.source, self.progress
        taught = self._batches
        if source is None or not source.chosen_by_model:
            taught = 0
        elif source.sampled:
            taught = math.ceil((self.configuration.policy.warm_start - done.epoch) * self._batches)
        switch = min(max(taught, done.batch), self._batches)
        for batch in self._taught.batches(done.epoch, done.batch, switch):
            yield batch.to(self.device)
        for batch in self._learned.batches(done.epoch, switch):
            yield batch.to(self.device)

    def _step(self, batch: Batch) -> dict[str, float]:
        """Make one step on one batch; return its figures, as sums over the pairs."""
        options, progress = self.configuration.training, self.progress
        distributed.seed_step(options.seed, progress.step)
        with arithmetic(self.device, options.precision):
            epoch = progress.epoch + progress.batch / self._batches
            result: StepResult = self._forward(batch, epoch)
        self.optimizer.zero_grad(set_to_none=True)
        # The losses of several processes add up; what comes of them is averaged.
        (result.loss * distributed.world_size()).backward()
        if self._settled and self.model.encoder.parser is not None:
            # No step of the optimiser, not even one of weight decay alone.
            self.model.encoder.parser.zero_grad()
        norm = self._clip(self._weights())
        if self.model.encoder.parser is not None:
            norm = norm + self._clip(list(self.model.encoder.parser.parameters()))
        loss, figures = self._figures(result, len(batch))
        self._move(loss, norm)
        if result.trees is not None:
            figures["clipped"] = self._improve_policy(result.trees) * figures["pairs"]
        progress.step += 1
        progress.batch += 1
        return figures

    def _improve_policy(self, trees: SampledTrees) -> float:
        """Make the further updates of PPO; return the share of trees that the last one clipped.

        They move the policy alone, on the rate of the step that the first update was part of.
        """
        assert self.model.encoder.policy is not None
        weights = list(self.model.encoder.policy.parameters())
        figures = {"clipped": 0.0}
        for _ in range(self.configuration.policy.policy_updates - 1):
            with arithmetic(self.device, self.configuration.training.precision):
                loss, clipped = self.objective.improve(self.model, trees)
            gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
            self.optimizer.zero_grad(set_to_none=True)
            for weight, gradient in zip(weights, distributed.summed(gradients), strict=True):
                weight.grad = gradient
            norm = self._clip(weights)
            parts = {"loss": loss.detach(), "clipped": clipped}
            figures = distributed.totals(parts, self.device)
            self._move(figures["loss"], norm)
        return figures["clipped"]

    def _move(self, loss: float, norm: Tensor) -> None:
        """Let the optimiser make its step, unless there is no sense in it."""
        if not (math.isfinite(loss) and torch.isfinite(norm)):
            self._diverged(loss, norm.item())
        self.optimizer.step()

    def _clip(self, weights: list[torch.nn.Parameter]) -> Tensor:
        """Limit the norm of the gradient of some weights; return what it was."""
        limit = self.configuration.training.clip or math.inf
        return torch.nn.utils.clip_grad_norm_(weights, limit, foreach=True)

    def _weights(self) -> list[torch.nn.Parameter]:
        """List the weights whose gradients are limited together; a parser's are so apart."""
        weights = [*self.model.parameters(), *self.objective.parameters()]
        if self.model.encoder.parser is None:
            return weights
        apart = {id(weight) for weight in self.model.encoder.parser.parameters()}
        return [weight for weight in weights if id(weight) not in apart]

    def _figures(self, result: StepResult, pairs: int) -> tuple[float, dict[str, float]]:
        """Put together, over all processes, the loss and the figures' sums over the pairs."""
        own = {"objective": result.loss.detach(), **result.sums, **result.means}
        sums = distributed.totals({**own, "pairs": torch.tensor(pairs)}, self.device)
        for name in result.means:
            sums[name] *= sums["pairs"]
        return sums.pop("objective"), sums

    def _diverged(self, loss: float, norm: float) -> None:
        """Stop at a loss or gradient that is no number, before the step spoils the weights."""
        rows = self._taught.order(self.progress.epoch)[self.progress.batch].tolist()
        shown = ", ".join(map(str, rows[:8])) + (", …" if len(rows) > 8 else "")
        raise SpinnError(
            f"The loss is {loss:g} and its gradient's norm {norm:g} at epoch "
            f"{self.progress.epoch + 1}, batch {self.progress.batch + 1} "
            f"(training {self._unit} {shown}). The checkpoints in {self.run.path} are kept; "
            "lower --learning-rate or --clip."
        )

    def _count(self, figures: dict[str, float]) -> None:
        sums, counts = self.progress.sums, self.progress.counts
        for name, value in figures.items():
            sums[name] = sums.get(name, 0.0) + value
            counts[name] = counts.get(name, 0.0) + figures["pairs"]

    def _averages(self) -> dict[str, float]:
        """Average the figures of the running epoch over the pairs that they are of."""
        sums, counts = self.progress.sums, self.progress.counts
        averages = {name: sums[name] / counts[name] for name in sums if name != "pairs"}
        if "correct" in averages:
            averages["accuracy"] = averages.pop("correct")
        return averages

    def _evaluate(self, averages: dict[str, float]) -> float:
        """Measure the dev set, tell the person and the metrics file; return the accuracy."""
        options = self.configuration.training
        evaluation = evaluate(
            self.model,
            self.corpus.sets["dev"],
            self.corpus.labels,
            self.configuration.source,
            device=self.device,
            precision=options.precision,
            seed=options.seed,
        )
        report = evaluation.report
        self._write_metrics("dev", {"loss": report.loss, "accuracy": report.accuracy})
        more = "".join(
            f" {name.replace('_', ' ')} {value:.3f}"
            for name, value in averages.items()
            if name not in ("loss", "accuracy")
        )
        self._say(
            f"epoch {self.progress.epoch}/{options.epochs}: "
            f"train loss {averages['loss']:.4f} accuracy {100 * averages['accuracy']:.2f}%{more}; "
            f"dev loss {report.loss:.4f} accuracy {100 * report.accuracy:.2f}%"
        )
        return report.accuracy

    def _write_metrics(self, kind: str, figures: dict[str, float]) -> None:
        progress = self.progress
        if not distributed.is_first():
            return
        record = {
            "kind": kind,
            "epoch": round(progress.epoch + progress.batch / self._batches, 6),
            "step": progress.step,
            **{name: round(value, 6) for name, value in figures.items()},
            "seconds": round(progress.seconds, 2),
        }
        try:
            with open(self.run.metrics, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(record) + "\n")
        except OSError as error:
            raise SpinnError(
                f"{self.run.metrics}: it cannot be written ({error.strerror}). The checkpoints are "
                f"kept; make room and go on with --resume {self.run.path}."
            ) from error
        self._logs.write(kind, progress.step, figures)

    def _save(self, *, best: bool) -> None:
        """Write a checkpoint that a resumed run can start from."""
        state = {
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "progress": vars(self.progress),
            "random": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            state["random_cuda"] = torch.cuda.get_rng_state(self.device)
        progress = self.progress
        distributed.on_first(lambda: self.run.save(progress.step, self.model, state, best=best))

    def _bar(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Show progress: a bar on a terminal, a line now and then where output is piped."""
        if not distributed.is_first():
            yield from batches
            return
        meter = _Meter(self.progress.sums.get("pairs", 0.0))
        epoch, epochs = self.progress.epoch + 1, self.configuration.training.epochs
        if sys.stderr.isatty():
            with tqdm(
                total=self._batches,
                initial=self.progress.batch,
                desc=f"epoch {epoch}/{epochs}",
                unit="batch",
                leave=False,
                dynamic_ncols=True,
            ) as bar:
                for batch in batches:
                    yield batch
                    speed = meter.speed(self.progress.sums["pairs"])
                    bar.set_postfix_str(self._shown(speed), refresh=False)
                    bar.update()
            return
        told = time.monotonic()
        first = self.progress.epoch == 0 and self.progress.batch == 0
        for batch in batches:
            yield batch
            speed = meter.speed(self.progress.sums["pairs"])
            if first or time.monotonic() - told > 20:
                place = f"epoch {epoch}/{epochs}, batch {self.progress.batch}/{self._batches}"
                self._say(f"{place}: {self._shown(speed)}")
                told, first = time.monotonic(), False

    def _ask(self) -> None:
        """Stop after the running step; asked a second time, at once."""
        if self._stop_asked:
            raise KeyboardInterrupt
        self._stop_asked = True
        self._say("Stopping after this step; press Ctrl-C again to stop without saving.")

    def _shown(self, speed: float) -> str:
        """Put the running epoch in a few words."""
        averages = self._averages()
        loss, accuracy = averages["loss"], averages["accuracy"]
        return f"loss {loss:.4f} accuracy {100 * accuracy:.2f}% {speed:.0f} {self._unit}/s"


class _Meter:
    """Pairs or single sentences a second, over an epoch, of which so many are done already."""

    def __init__(self, pairs: float) -> None:
        self._begun, self._pairs = time.monotonic(), pairs

    def speed(self, pairs: float) -> float:
        return (pairs - self._pairs) / max(1e-9, time.monotonic() - self._begun)


class _TensorBoard:
    """TensorBoard logs; the library is loaded when the first figures come."""

    def __init__(self, run: RunDirectory, *, enabled: bool) -> None:
        self._run, self._enabled = run, enabled
        self._writer: Any = None

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        if not self._enabled:
            return
        if self._writer is None:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._writer = SummaryWriter(str(self._run.path / "tensorboard"), purge_step=step)
        for name, value in figures.items():
            self._writer.add_scalar(f"{name}/{kind}", value, step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _drop_later_lines(run: RunDirectory, step: int) -> None:
    """Drop metrics written after the checkpoint that is resumed, and a line cut off in writing."""
    if not run.metrics.is_file():
        return
    kept = []
    for line in run.metrics.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError):
            continue
    write_whole(run.metrics, "".join(kept))


def read_metrics(run: RunDirectory) -> list[dict[str, Any]]:
    """Read the metrics file of a run.

    Raises
    ------
    DataError
        If the file is missing, or a line of it is damaged.

    """
    metrics = []
    try:
        lines = run.metrics.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(run.metrics, f"it cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            metrics.append(json.loads(line))
        except ValueError as error:
            cause = f"it cannot be read ({error})"
            remedy = "Delete the line; the learning curve is then without it"
            raise DataError(run.metrics, cause, line=number, remedy=remedy) from error
    return metrics
