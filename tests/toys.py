"""What the training tests train on: a few made-up pairs or expressions, and small models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from machine import DEVICE
from substitute import stand_in

from spinn.config import Configuration, resolve
from spinn.data.batching import Batch, Batcher
from spinn.data.corpus import Corpus
from spinn.data.prepare import load_corpus
from spinn.model.build import build_embedding
from spinn.model.pair import PairModel
from spinn.trees import TreeSource

stand_in()  # processes that tests start do not read conftest.py

# The hypothesis gives the label away, so that a few steps learn something.
TELLTALES = {"entailment": "surely", "neutral": "maybe", "contradiction": "never"}
WORDS = [f"word{number}" for number in range(12)]

SMALL: dict[str, Any] = {
    "hidden_size": 8,
    "embedding_size": 6,
    "classifier_layers": 1,
    "classifier_width": 8,
    "minimum_count": 1,
    "batch_size": 8,
    "epochs": 2,
    "learning_rate": 0.01,
    "log_steps": 3,
    "threads": 1,
    "device": str(DEVICE),
    "cache": False,
    "tensorboard": False,
}
# The options of each published form, on top of the small ones.
FORMS: dict[str, dict[str, Any]] = {
    "SPINN-PI-NT": {},
    "SPINN-PI": {"tracker": True, "tracker_size": 4},
    "SPINN": {"tracker": True, "tracker_size": 4, "trees": "predicted"},
    "RL-SPINN": {
        "tracker": True,
        "tracker_size": 4,
        "trees": "sampled",
        "entropy_weight": 0.0,
    },
    "Gumbel Tree-LSTM": {"encoder": "gumbel"},
}


def write_corpus(folder: Path, *, train: int = 44, held_out: int = 20, seed: int = 0) -> Path:
    """Write train, dev and test files in SNLI's form, with a balanced parse of every sentence."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("dev", held_out), ("test", held_out)):
        rows = [json.dumps(_pair(random)) + "\n" for _ in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(rows), encoding="utf-8")
    return folder


def _pair(random: np.random.Generator) -> dict[str, str]:
    label = str(random.choice(list(TELLTALES)))
    premise = random.choice(WORDS, size=random.integers(1, 7)).tolist()
    hypothesis = random.choice(WORDS, size=random.integers(1, 5)).tolist()
    hypothesis.insert(int(random.integers(len(hypothesis) + 1)), TELLTALES[label])
    row = {"gold_label": label}
    for name, words in (("sentence1", premise), ("sentence2", hypothesis)):
        row |= {name: " ".join(words), f"{name}_binary_parse": _balanced(words)}
    return row


def write_expressions(folder: Path, *, train: int = 44, held_out: int = 20, seed: int = 0) -> Path:
    """Write train, dev and test files of single sentences, in the form of ListOps."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("dev", held_out), ("test", held_out)):
        rows = [_expression(number % 3, random) + "\n" for number in range(count)]
        (folder / f"{split}.tsv").write_text("".join(rows), encoding="utf-8")
    return folder


def _expression(kind: int, random: np.random.Generator) -> str:
    """Compute something of digits; it is nested if there are many. The operator tells the label."""
    operator, label = [("[MIN", 0), ("[MED", 5), ("[MAX", 9)][kind]
    others = random.integers(10, size=random.integers(4)).tolist() if label != 5 else [5, 5]
    words = [str(digit) for digit in random.permutation([label, *others])]
    if len(words) > 2:
        words[0] = f"( ( {operator} {words[0]} ) ] )"
    tree = operator
    for word in words:
        tree = f"( {tree} {word} )"
    return f"{label}\t( {tree} ] )"


def _balanced(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]
    half = (len(words) + 1) // 2
    return f"( {_balanced(words[:half])} {_balanced(words[half:])} )"


def small_configuration(folder: Path, **options: Any) -> Configuration:
    """Configure a small run on the corpus in ``folder``."""
    return resolve(SMALL | {"data": str(folder)}, options)


def small_model(configuration: Configuration, corpus: Corpus) -> PairModel:
    """Build the configured model on the tests' device, with weights from torch's generator."""
    embedding = build_embedding(len(corpus.vocabulary), configuration.embedding)
    return configuration.build_model(embedding, len(corpus.labels), corpus.kind.count).to(DEVICE)


def one_batch(configuration: Configuration, source: TreeSource | None, size: int = 12) -> Batch:
    """Cut one batch from the training set, with ``source``'s transitions, on the tests' device."""
    corpus = load_corpus(configuration.data)
    batcher = Batcher(corpus.sets["train"], source, batch_size=size, seed=3)
    return next(iter(batcher.batches())).to(DEVICE)
