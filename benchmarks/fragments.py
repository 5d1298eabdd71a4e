"""Perplexity of a fragment by counts, and by a model that is trained for a few minutes.

``python -m benchmarks.fragments --train FILE --dev FILE`` takes all that the language model over
fragments takes: SNLI's parses, labelled brackets, Python programs. The model is trained on the
training files without a random tenth, which shows progress; the dev files are scored once, at the
end. The counts are interpolated with absolute discounting (Ney, Essen and Kneser 1994): fragments
given parent and type, then given the type, then uniform over the type.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from benchmarks.common import (
    describe_machine,
    make_parser,
    place_of,
    positive,
    run_program,
    say,
    table,
    write_record,
)
from spinn.data.fragments.corpus import describe
from spinn.data.fragments.dataset import FragmentDataset, number_sequences
from spinn.data.fragments.sources import Sequences, is_python, read_sequences, split_sequences
from spinn.data.fragments.vocabulary import build_fragment_vocabulary
from spinn.language.fragments import fragment_scores
from spinn.learning.objectives.fragments import FragmentObjective
from spinn.model.fragment_language import FragmentLanguageModel, FragmentModelOptions

DISCOUNT = 0.75
_BATCH, _CLIP = 64, 1.0

Context = TypeVar("Context")


class FragmentCounts:
    """Probabilities of fragments from counts.

    Parameters
    ----------
    training
        The trees that are counted.
    sizes
        The number of fragments of each type.
    discount
        What is taken from each count, for the distribution behind it.

    """

    def __init__(
        self, training: FragmentDataset, sizes: list[int], discount: float = DISCOUNT
    ) -> None:
        self.sizes, self.discount = sizes, discount
        self.of_type: Counter[tuple[int, int]] = Counter()
        self.of_parent: Counter[tuple[tuple[int, int], int]] = Counter()
        for fragment, parent, type in _rows(training):
            self.of_type[type, fragment] += 1
            self.of_parent[(parent, type), fragment] += 1
        self.types, self.type_kinds = _margins(self.of_type)
        self.parents, self.parent_kinds = _margins(self.of_parent)

    def prob(self, fragment: int, parent: int, type: int) -> float:
        """Return the probability of a fragment given its parent and type."""
        prob = 1 / self.sizes[type]
        if self.types[type]:
            kept = max(self.of_type[type, fragment] - self.discount, 0)
            prob = (kept + self.discount * self.type_kinds[type] * prob) / self.types[type]
        above = parent, type
        if self.parents[above]:
            kept = max(self.of_parent[above, fragment] - self.discount, 0)
            prob = (kept + self.discount * self.parent_kinds[above] * prob) / self.parents[above]
        return prob

    def perplexity(self, dataset: FragmentDataset) -> float:
        """Return the perplexity of a fragment."""
        total = sum(math.log(self.prob(*row)) for row in _rows(dataset))
        return math.exp(-total / len(dataset.fragments))


def _rows(dataset: FragmentDataset) -> Iterator[tuple[int, int, int]]:
    columns = (dataset.fragments, dataset.parents, dataset.types)
    return zip(*(column.tolist() for column in columns), strict=True)


def _margins(counts: Counter[tuple[Context, int]]) -> tuple[Counter[Context], Counter[Context]]:
    """Return the count of each context, and the number of different fragments in it."""
    totals: Counter[Context] = Counter()
    kinds: Counter[Context] = Counter()
    for (context, _), count in counts.items():
        totals[context] += count
        kinds[context] += 1
    return totals, kinds


def perplexity(model: FragmentLanguageModel, dataset: FragmentDataset) -> float:
    """Return the perplexity of a fragment by a model."""
    return fragment_scores(model, dataset, batch_size=256).as_dict()["perplexity"]


def train(
    model: FragmentLanguageModel,
    training: FragmentDataset,
    held_out: FragmentDataset,
    options: argparse.Namespace,
) -> None:
    """Train a model with Adam, whose rate decreases linearly to 0; print the progress."""
    device = model.decoder.weight.device
    optimizer = torch.optim.Adam(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    steps = options.epochs * -(-len(training) // _BATCH)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    random, objective = np.random.default_rng(options.seed), FragmentObjective()
    start = time.perf_counter()
    for epoch in range(1, options.epochs + 1):
        model.train()
        for batch in training.batches(_BATCH, random):
            part = batch.to(device)
            optimizer.zero_grad()
            objective(model, part).loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
            optimizer.step()
            schedule.step()
        seconds = time.perf_counter() - start
        say(f"epoch {epoch}: held-out {perplexity(model, held_out):.3f}, {seconds:.0f} s")


def read(paths: list[Path], options: argparse.Namespace) -> Sequences:
    """Read trees that are not too long."""
    sequences = read_sequences(paths, repeats=options.repeats)
    return [sequence for sequence in sequences if len(sequence) <= options.max_fragments]


def main() -> None:
    """Print a table of perplexities."""
    options = parse()
    device = place_of(options).enter()
    lowercase = not is_python([*options.train, *options.dev])
    training, held_out = split_sequences(read(options.train, options), options.seed)
    vocabulary = build_fragment_vocabulary(training, options.minimum, lowercase=lowercase)
    train_set, held_out_set, dev = (
        number_sequences(part, vocabulary)
        for part in (training, held_out, read(options.dev, options))
    )
    for split, dataset in (("train", train_set), ("held-out", held_out_set), ("dev", dev)):
        say(describe(split, dataset, vocabulary))
    counted = FragmentCounts(train_set, vocabulary.sizes).perplexity(dev)
    say(f"counts: {counted:.3f}")
    torch.manual_seed(options.seed)
    shape = FragmentModelOptions(options.width, hidden_size=options.width, dropout=options.dropout)
    model = FragmentLanguageModel(vocabulary.sizes, shape).to(device)
    train(model, train_set, held_out_set, options)
    learned = perplexity(model, dev)
    rows = [["counts", f"{counted:.2f}"], ["model", f"{learned:.2f}"]]
    say("\n" + table(["", "perplexity of a fragment of dev"], rows))
    record = {"counts": counted, "model": learned, "minimum": options.minimum}
    write_record(options.output, describe_machine(device, options.threads), record)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = make_parser("Perplexity of a fragment.", "fragments", files=False)
    parser.add_argument("--train", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--dev", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--minimum", type=positive, default=10, help="(default: 10)")
    parser.add_argument("--repeats", action="store_true", help="keep premises that occur again")
    parser.add_argument("--max-fragments", type=positive, default=1000, help="(default: 1000)")
    parser.add_argument("--epochs", type=positive, default=10, help="(default: 10)")
    parser.add_argument("--width", type=positive, default=300, help="(default: 300)")
    parser.add_argument("--dropout", type=float, default=0.5, help="(default: 0.5)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="(default: 0.002)")
    parser.add_argument("--weight-decay", type=float, default=0.0, help="(default: 0)")
    parser.add_argument("--seed", type=int, default=1, help="(default: 1)")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.width = 1, 32
    return options


if __name__ == "__main__":
    run_program(main)
