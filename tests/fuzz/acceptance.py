"""Checks of what a command has made of an input that it accepted."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from spinn.data.corpus import Corpus
from spinn.data.dataset import PairDataset
from spinn.data.readers import read_examples
from spinn.transitions import Transition

OUTPUT = Path("work", "output")


def anything(printed: str) -> None:
    """Accept any result."""


def check_prepared(printed: str) -> None:
    """Check the numbers of the prepared corpus that was written."""
    corpus = Corpus.load(OUTPUT)
    words = corpus.vocabulary.words
    assert words[:2] == ["<unk>", "<pad>"], "the first words are not the special ones"
    assert len(set(words)) == len(words), "a word is there twice"
    assert all(isinstance(word, str) for word in words), "a word is no text"
    assert len(set(corpus.labels)) == len(corpus.labels) > 0, "labels are not distinct"
    assert all(isinstance(label, str) and label.strip() for label in corpus.labels), "empty label"
    for name, data in corpus.sets.items():
        _check_set(name, data, len(words), len(corpus.labels))
    if corpus.vectors is not None:
        vectors = corpus.vectors.vectors
        assert vectors.dim() == 2, "vectors are no matrix"
        assert vectors.is_floating_point(), "vectors are no floats"
        assert len(vectors) == len(words) == len(corpus.vectors.known), "not a vector for each word"
        assert bool(vectors.isfinite().all()), "a vector is not finite"


def _check_set(name: str, data: PairDataset, words: int, labels: int) -> None:
    kinds = [getattr(data, part).dtype.kind for part in ("words", "offsets", "transitions")]
    assert kinds == ["i"] * 3, f"{name}: dtypes {kinds}"
    assert len(data), f"{name} is empty"
    assert data.words.min() >= 0, f"{name}: a word is negative"
    assert data.words.max() < words, f"{name}: a word is out of range"
    assert data.labels.min() >= 0, f"{name}: a label is negative"
    assert data.labels.max() < labels, f"{name}: a label is out of range"
    assert data.offsets[0] == 0, f"{name}: offsets"
    assert data.offsets[-1] == len(data.words), f"{name}: offsets"
    assert data.lengths.min() > 0, f"{name}: a sentence is empty"
    steps = data.transition_offsets
    assert steps[-1] == len(data.transitions), f"{name}: transitions are missing"
    for begin, end in pairwise(steps):
        part = data.transitions[begin:end]
        if (part == Transition.PAD).all():
            continue
        shifts = part == Transition.SHIFT
        assert (shifts | (part == Transition.REDUCE)).all(), f"{name}: unknown transition"
        heights = np.where(shifts, 1, -1).cumsum()
        assert heights.min() >= 1, f"{name}: a REDUCE has too few nodes"
        assert heights[-1] == 1, f"{name}: transitions do not end in one node"


def check_predictions(printed: str) -> None:
    """Check each printed line of JSON."""
    for line in printed.splitlines():
        _check_probabilities(_strict(line)["probabilities"])


def check_evaluation(printed: str) -> None:
    """Check the files of scores and records, as far as they were requested."""
    for path in OUTPUT.parent.glob("*.json"):
        _strict(path.read_text(encoding="utf-8"))
    for path in OUTPUT.parent.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
            _check_probabilities(_strict(line)["probabilities"])


def check_parsed(printed: str) -> None:
    """Check that the files written by ``parse`` can be read again."""
    for path in OUTPUT.glob("*"):
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        found = list(read_examples(path, "snli", unlabelled=True))
        assert len(found) == len(lines), "a row was lost"
        assert all(example.is_parsed for example in found), "a tree was lost"


def _check_probabilities(probabilities: dict[str, float]) -> None:
    assert abs(sum(probabilities.values()) - 1) < 1e-3, "probabilities do not sum to 1"


def _strict(text: str) -> Any:
    """Parse JSON; reject numbers that are not finite."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _finite(digits: str) -> float:
    number = float(digits)
    assert math.isfinite(number), f"{digits} is printed"
    return number


def _refuse(name: str) -> NoReturn:
    raise AssertionError(f"{name} is printed")
