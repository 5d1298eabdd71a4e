"""Perplexity of Kneser-Ney n-grams on the text of a language model's run, with its tokens.

``python -m benchmarks.kneser_ney RUN --order 5`` counts the training set of a run of
``spinn lm train`` and scores its other sets. The estimate is interpolated and modified
(Chen and Goodman 1999, section 3.4): three discounts an order, continuation counts below the
highest order, a uniform distribution at the bottom.

If the run reads sentences one by one, the history of a word begins with the end of the sentence
before it; else it is all of the text.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import positive, run_program, say, table
from spinn.config_files import read_values
from spinn.data.language import END, Tokens, load_text
from spinn.language.config import LanguageConfiguration
from spinn.language.pretrained import load_language_model
from spinn.pretrained import RESULTS
from spinn.support.files import as_json, write_whole
from spinn.training.log import read_metrics
from spinn.training.run_directory import RunDirectory

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
ABSENT = -1  # the number of a gram that does not exist, or was not counted


@dataclass(frozen=True)
class Order:
    """The grams of one length, numbered from 0.

    Attributes
    ----------
    keys
        ``(number of the gram without its last token) * V + last token``, increasing ``[G]``.
    discounted
        Count less the discount ``[G]``.
    total
        Sum of the counts of the grams that begin with a context ``[C]``.
    left
        The part of that sum that discounts leave to the order below ``[C]``.

    """

    keys: Integers
    discounted: Floats
    total: Floats
    left: Floats


class KneserNey:
    """An n-gram model of a text.

    Parameters
    ----------
    tokens
        The training text ``[N]``.
    vocabulary
        Number of tokens (V).
    order
        Length of the longest grams.
    sentences
        Whether every sentence is read for itself.

    """

    def __init__(self, tokens: Tokens, vocabulary: int, order: int, *, sentences: bool) -> None:
        self.vocabulary, self.sentences = vocabulary, sentences
        text, before = self._with_history(tokens)
        keys, grams = [], [np.zeros(len(text), dtype=np.int64)]
        for length in range(1, order + 1):
            found, numbers = np.unique(
                self._keys(grams[-1], text, before, length), return_inverse=True
            )
            absent = int(found[0] == ABSENT)
            keys.append(found[absent:])
            grams.append(numbers - absent)
        self.orders = [_count(keys, grams, length, vocabulary) for length in range(1, order + 1)]

    def _with_history(self, tokens: Tokens) -> tuple[Integers, Integers]:
        """Return the text after an end of line, and how many tokens of history each one has."""
        text = np.concatenate([[END], tokens]).astype(np.int64)
        place = np.arange(len(text))
        if not self.sentences:
            return text, place
        ends = np.maximum.accumulate(np.where(text == END, place, 0))
        return text, place - np.concatenate([[0], ends[:-1]])

    def _keys(self, shorter: Integers, text: Integers, before: Integers, length: int) -> Integers:
        """Return the keys of the grams that end at each token, from the grams one shorter."""
        context = np.concatenate([[0], shorter[:-1]])
        real = (before >= length - 1) & (context != ABSENT)
        return np.where(real, context * self.vocabulary + text, ABSENT)

    def log_probs(self, tokens: Tokens) -> Floats:
        """Return the natural logarithm of the probability of each token of a text ``[N]``."""
        text, before = self._with_history(tokens)
        grams = np.zeros(len(text), dtype=np.int64)
        probs = np.full(len(text), 1 / self.vocabulary)
        for length, order in enumerate(self.orders, start=1):
            keys = self._keys(grams, text, before, length)
            context = np.maximum(keys, 0) // self.vocabulary
            known = (keys != ABSENT) & (order.total[context] > 0)
            place = np.minimum(np.searchsorted(order.keys, keys), len(order.keys) - 1)
            seen = order.keys[place] == keys
            own = np.where(seen, order.discounted[place], 0.0)
            mixed = own + order.left[context] * probs
            probs = np.where(known, mixed / np.maximum(order.total[context], 1), probs)
            grams = np.where(seen, place, ABSENT)
        return np.log(probs[1:])

    def perplexity(self, tokens: Tokens) -> float:
        """Return the perplexity of a text."""
        return math.exp(-self.log_probs(tokens).mean())


def _count(keys: list[Integers], grams: list[Integers], length: int, vocabulary: int) -> Order:
    """Return the discounted counts of the grams of a length.

    Parameters
    ----------
    keys
        The keys of the grams of each length, from 1 on.
    grams
        Numbers of the grams that end at each token, for each length from 0 on.
    length, vocabulary
        Which grams are counted, and the number of tokens.

    """
    found, own = keys[length - 1], grams[length]
    counted = own[1:][own[1:] != ABSENT]  # the end before the text is history alone
    counts = np.bincount(counted, minlength=len(found)).astype(np.float64)
    if length < len(keys):
        # Distinct tokens before a gram. A gram at the start of a text or sentence has none.
        present = grams[length + 1] != ABSENT
        _, first = np.unique(grams[length + 1][present], return_index=True)
        before = np.bincount(own[present][first], minlength=len(found))
        counts = np.where(before > 0, before, counts)
    discounts = _discounts(counts)[np.minimum(counts, 3).astype(np.int64)]
    context = found // vocabulary
    contexts = 1 if length == 1 else len(keys[length - 2])
    total = np.bincount(context, counts, contexts).astype(np.float64)
    left = np.bincount(context, discounts, contexts).astype(np.float64)
    return Order(found, counts - discounts, total, left)


def _discounts(counts: Floats) -> Floats:
    """Return the discounts of counts 0, 1, 2, and 3 or more (Chen and Goodman, equation 26)."""
    one, two, three, four = (max(1, int((counts == n).sum())) for n in (1, 2, 3, 4))
    ratio = one / (one + 2 * two)
    found = 1 - 2 * ratio * two / one, 2 - 3 * ratio * three / two, 3 - 4 * ratio * four / three
    return np.clip([0.0, *found], 0.0, [0.0, 1.0, 2.0, 3.0])


def record_of(run: Path, configuration: LanguageConfiguration) -> dict[str, Any]:
    """Return configuration (files by name), results and curve on dev of a run."""
    groups = configuration.as_dict()
    data = groups["data"]
    for name in ("text", "train", "dev", "test"):
        data[name] = [Path(path).name for path in data[name]]
    for place, name in ((data, "corpus"), (groups["language"], "vectors")):
        if place[name] is not None:
            place[name] = Path(place[name]).name
    del data["data_directory"]
    folder = RunDirectory(run)
    curve = [
        {name: line[name] for name in ("epoch", "perplexity", "seconds")}
        for line in read_metrics(folder.metrics)
        if line["kind"] == "dev"
    ]
    results = read_values(run / RESULTS) if (run / RESULTS).is_file() else None
    return {"configuration": groups, "results": results, "curve": curve}


def main() -> None:
    """Print the perplexity of n-grams on the sets of a run that are not trained on."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kneser_ney", description="Perplexity of Kneser-Ney n-grams."
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--order", type=positive, default=5, help="(default: 5)")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="record of these and of the run",
    )
    options = parser.parse_args()
    trained = load_language_model(options.run)
    configuration = trained.configuration
    corpus = load_text(configuration.data, trained.vocabulary)
    model = KneserNey(
        corpus.sets["train"].tokens,
        len(corpus.vocabulary),
        options.order,
        sentences=configuration.batches.layout == "sentences",
    )
    found = {
        split: model.perplexity(text.tokens)
        for split, text in corpus.sets.items()
        if split != "train"
    }
    rows = [[split, f"{value:.2f}", f"{math.log(value):.4f}"] for split, value in found.items()]
    say(table([f"order {options.order}", "perplexity", "nats a token"], rows))
    if options.output is not None:
        record = record_of(options.run, configuration)
        record["ngrams"] = {"order": options.order, "perplexity": found}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(options.output, as_json(record, indent=1))


if __name__ == "__main__":
    run_program(main)
