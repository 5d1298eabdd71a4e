"""Batches of a language model: continuous streams, or padded sentences.

In both, a token's input is the token before it; before the first token of a stream or a sentence,
that is the end of a line. Every token is a target exactly once in an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinn.data.language import END, Tokens
from spinn.support.options import Condition, Group, option

IGNORED = -100  # a target that is padding, as in torch's cross-entropy


@dataclass(frozen=True)
class TextBatch:
    """A window of streams, or a batch of sentences.

    A process without a share in a small batch gets a sentence without targets, so that it can run
    the model in step with other processes.

    Attributes
    ----------
    inputs, targets
        Numbers of tokens ``[T, B]``; targets of padding are :data:`IGNORED`.
    lengths
        Of sentences ``[B]``, on the CPU; ``None`` for streams.
    tokens
        Number of targets without padding.
    rate
        Factor of the learning rate.

    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None
    tokens: int
    rate: float = 1.0

    def to(self, device: torch.device) -> TextBatch:
        """Return the batch on a device."""
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))


_STREAMS = Condition(lambda values: values["layout"] == "streams", "it belongs to --layout streams")


@dataclass(frozen=True)
class BatchOptions:
    """Streams of text or sentences, and the steps of back-propagation."""

    layout: str = option(
        "streams",
        "streams: continuous text, whose state is carried from step to step; sentences: each for "
        "itself, in batches of similar lengths",
        choices=("streams", "sentences"),
    )
    batch_size: int = option(32, "streams or sentences in a batch", minimum=1)
    steps: int = option(
        70,
        "tokens of a stream in a step, through which gradients flow back",
        minimum=1,
        when=_STREAMS,
    )
    vary_steps: bool = option(
        False,
        "draw --steps anew for each step, and scale the learning rate with it "
        "(Merity, Keskar and Socher 2018)",
        when=_STREAMS,
    )
    dev_streams: int = option(
        10,
        "streams that dev is cut into after each epoch; the results at the end are of one stream",
        minimum=1,
        when=_STREAMS,
    )


BATCHES_GROUP = Group("batches", BatchOptions)


class Streams:
    """A text as parallel streams ``[L, B]``, read in windows from the first to the last.

    Stream b has the b-th of B equal parts of the text; the last ones are padded.

    Parameters
    ----------
    tokens
        The text ``[N]``.
    streams
        Number of streams (B).
    rank, world_size
        Take every ``world_size``-th stream, from ``rank`` on.

    """

    def __init__(self, tokens: Tokens, streams: int, rank: int = 0, world_size: int = 1) -> None:
        length = -(-len(tokens) // streams)
        inputs = np.full(length * streams, END, dtype=np.int64)
        targets = np.full(length * streams, IGNORED, dtype=np.int64)
        inputs[1 : len(tokens)], targets[: len(tokens)] = tokens[:-1], tokens
        shape, own = (streams, length), slice(rank, None, world_size)
        self._inputs = torch.from_numpy(inputs.reshape(shape)[own].T.copy())
        self._targets = torch.from_numpy(targets.reshape(shape)[own].T.copy())

    def __len__(self) -> int:
        """Return the length of a stream (L)."""
        return len(self._inputs)

    def windows(
        self, lengths: list[int], start: int = 0, base: int | None = None
    ) -> Iterator[TextBatch]:
        """Yield windows of the lengths given, from number ``start`` on.

        With a ``base``, the learning rate of a window is scaled by its length over the base.
        """
        place = sum(lengths[:start])
        for length in lengths[start:]:
            inputs, targets = (
                whole[place : place + length] for whole in (self._inputs, self._targets)
            )
            rate = 1.0 if base is None else len(inputs) / base
            yield TextBatch(inputs, targets, None, int((targets != IGNORED).sum()), rate)
            place += length


def fixed_lengths(total: int, steps: int) -> list[int]:
    """Return the lengths of the windows of a stream, all of ``steps`` but the last."""
    whole, rest = divmod(total, steps)
    return [steps] * whole + ([rest] if rest else [])


def varied_lengths(total: int, steps: int, random: np.random.Generator) -> list[int]:
    """Draw the lengths of the windows of a stream (Merity et al. 2018, section 5).

    A length is normal around ``steps`` with probability 0.95, else around half of it, with a
    standard deviation of 5, and at least 5; the last one is what is left.
    """
    count = 4 * total // steps + 8  # more than enough: few are around the half
    means = np.where(random.random(count) < 0.95, steps, steps / 2)
    drawn = np.maximum(5, random.normal(means, 5.0).astype(np.int64))
    ends = np.minimum(np.cumsum(drawn), total)
    last = int(np.searchsorted(ends, total))
    ends = ends[: last + 1]
    lengths: list[int] = np.diff(ends, prepend=0).tolist()
    return lengths


class Sentences:
    """A text as sentences, in padded batches of similar lengths.

    Parameters
    ----------
    tokens
        The text ``[N]``; a sentence ends with :data:`spinn.data.language.END`.
    batch_size
        Sentences in a batch.
    rank, world_size
        Take every ``world_size``-th sentence of each batch, from ``rank`` on.

    """

    POOL = 50  # batches whose sentences are sorted by length together

    def __init__(self, tokens: Tokens, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        ends = np.flatnonzero(tokens == END) + 1
        if not len(ends) or ends[-1] != len(tokens):
            ends = np.append(ends, len(tokens))
        self._tokens, self._ends = tokens, ends
        self._starts = np.concatenate([[0], ends[:-1]])
        self._batch_size, self._own = batch_size, slice(rank, None, world_size)

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-len(self._ends) // self._batch_size)

    def batches(
        self, random: np.random.Generator | None = None, start: int = 0
    ) -> Iterator[TextBatch]:
        """Yield batches from number ``start`` on; in random order, or the longest first."""
        lengths, size = self._ends - self._starts, self._batch_size
        order = np.arange(len(lengths)) if random is None else random.permutation(len(lengths))
        pool = len(order) if random is None else self.POOL * size
        parts = np.split(order, range(pool, len(order), pool))
        ordered = np.concatenate(
            [part[np.argsort(-lengths[part], kind="stable")] for part in parts]
        )
        batches = np.split(ordered, range(size, len(ordered), size))
        if random is not None:
            batches = [batches[number] for number in random.permutation(len(batches))]
        for rows in batches[start:]:
            yield self._batch(rows)

    def _batch(self, rows: NDArray[np.int64]) -> TextBatch:
        own = rows[self._own]
        read = own if len(own) else rows[:1]
        lengths = self._ends[read] - self._starts[read]
        shape = (int(lengths.max()), len(read))
        inputs = np.full(shape, END, dtype=np.int64)
        targets = np.full(shape, IGNORED, dtype=np.int64)
        for column, row in enumerate(read):
            sentence = self._tokens[self._starts[row] : self._ends[row]]
            if len(own):
                targets[: len(sentence), column] = sentence
            inputs[1 : len(sentence), column] = sentence[:-1]
        return TextBatch(
            torch.from_numpy(inputs),
            torch.from_numpy(targets),
            torch.from_numpy(lengths),
            int(lengths.sum()) if len(own) else 0,
        )
