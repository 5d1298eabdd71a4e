"""Small corpora that the tests of the data side share."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import torch
from messages import messages

from spinn.data.corpus import Corpus
from spinn.data.options import CorpusOptions, VectorOptions
from spinn.data.prepare import load_corpus
from spinn.extensions.induced_vectors import InducedVectorsOptions

GLOVE = "a 1 2 3\ndog 4 5 6\nunicorn 7 8 9\n"


def row(label: str, premise: str, hypothesis: str, parsed: bool = True) -> str:
    """Write a line of SNLI from two bracketed trees."""
    fields = {"gold_label": label}
    for number, tree in ((1, premise), (2, hypothesis)):
        fields[f"sentence{number}"] = " ".join(tree.replace("(", "").replace(")", "").split())
        if parsed:
            fields[f"sentence{number}_binary_parse"] = tree
    return json.dumps(fields) + "\n"


TRAIN = (
    row("entailment", "( ( A dog ) runs )", "( A dog )")
    + row("neutral", "( ( A dog ) runs )", "( ( A Cat ) runs )")
    + row("-", "( A dog )", "( A cat )")
    + row("contradiction", "( A dog )", "( ( No dog ) runs )")
)
DEV = row("neutral", "( ( A unicorn ) runs )", "( A wug )")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def load(
    options: CorpusOptions, vectors: Path | None = None, *, induce: bool = False
) -> tuple[Corpus, list[str]]:
    """Load a corpus with the vectors of a file, if one is given; return it with the messages."""
    given = None if vectors is None else VectorOptions(str(vectors))
    source = InducedVectorsOptions(induce_vectors=True) if induce else None
    with messages() as lines:
        return load_corpus(options, given, source), lines


def was_read(lines: list[str]) -> bool:
    return any(line.startswith("Reading") for line in lines)


def assert_same(first: Corpus, second: Corpus) -> None:
    assert first.vocabulary == second.vocabulary
    assert (first.labels, first.unparsed, first.notes) == (
        second.labels,
        second.unparsed,
        second.notes,
    )
    assert list(first.sets) == list(second.sets)
    for split, data in first.sets.items():
        for name, value in vars(data).items():
            array, other = np.asarray(value), np.asarray(getattr(second.sets[split], name))
            assert array.dtype == other.dtype
            assert np.array_equal(array, other)
    assert (first.vectors is None) == (second.vectors is None)
    if first.vectors is not None and second.vectors is not None:
        assert torch.equal(first.vectors.vectors, second.vectors.vectors)
        assert torch.equal(first.vectors.known, second.vectors.known)


LISTOPS = "8\t( ( ( [MAX 2 ) 8 ) ] )\n3\t( ( [SM 3 ) ] )\n"
