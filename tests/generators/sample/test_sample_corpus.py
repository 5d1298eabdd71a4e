"""The sample corpus: its families, and the bundled files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinn.data.labels import INFERENCE_LABELS
from spinn.generators.dice import Dice
from spinn.generators.sample import corpus as sample
from spinn.generators.sample.corpus import Shared, draw_families, draw_rows, families_for, generate
from spinn.generators.sample.grammar import Sentence, to_binary_brackets, words
from spinn.support.errors import ConfigurationError, DataError
from spinn.transitions import from_brackets

BUNDLED = Path(__file__).parents[3] / "data" / "sample"


def test_equal_seeds_give_equal_bytes_on_every_machine(tmp_path: Path) -> None:
    generate(tmp_path / "made", seed=5, sizes={"dev": 20, "test": 7})
    dev, test = ((tmp_path / "made" / f"{split}.jsonl").read_bytes() for split in ("dev", "test"))
    assert (dev.count(b"\n"), test.count(b"\n")) == (20, 7)
    assert hashlib.sha256(dev + test).hexdigest() == (
        "d03327b2dc4a70c57282a5f4b6a038808d03f9d2040e86766bb6b94571750f22"
    )


def test_a_family_has_different_labels_for_the_same_words() -> None:
    for family in islice(draw_families(families_for(240), set(), Dice(7)), 40):
        labels = {pair.label for pair in family}
        premises = {tuple(sorted(words(pair.premise))) for pair in family}
        hypotheses = {tuple(sorted(words(pair.hypothesis))) for pair in family}
        assert len(labels) == len(family) > 1
        assert len(hypotheses) == 1
        assert len(premises) == 1 or len(labels) == 3


def test_families_come_in_the_wanted_numbers() -> None:
    wanted = families_for(20)  # one round
    used: set[Sentence] = set()
    families = list(draw_families(wanted, used, Dice(8)))
    assert len(families) == sum(wanted.values())
    labels = Counter(pair.label for family in families for pair in family)
    assert labels == Counter(dict.fromkeys(INFERENCE_LABELS, 9))
    assert used == {pair.premise for family in families for pair in family}
    assert sum(len({pair.premise for pair in family}) == 1 for family in families) == sum(
        count for kind, count in wanted.items() if kind.shared is Shared.PREMISE
    )


def test_wrong_sizes_and_places_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="dev cannot have -1 pairs"):
        next(draw_rows(sizes={"dev": -1}))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        generate(tmp_path / "file", sizes={"dev": 0})


# The bundled files.


@pytest.fixture(scope="module")
def bundled() -> dict[str, list[dict[str, Any]]]:
    return {
        split: [json.loads(line) for line in (BUNDLED / f"{split}.jsonl").open(encoding="utf-8")]
        for split in sample.SIZES
    }


Corpus = dict[str, list[dict[str, Any]]]


def test_bundled_files_are_those_of_the_generator(bundled: Corpus) -> None:
    split, size = next(iter(sample.SIZES.items()))
    written = {row["pairID"]: row for row in bundled[split]}
    families = draw_families(families_for(size), set(), Dice(sample.SEED))
    compared = 0
    for number, family in enumerate(islice(families, 40)):
        for member, pair in enumerate(family):
            row = written.get(f"{split}-{number}.{member}")
            if row is not None:  # the last few of a split are cut off
                assert row["gold_label"] == pair.label
                assert row["sentence1_binary_parse"] == to_binary_brackets(pair.premise)
                assert row["sentence2_binary_parse"] == to_binary_brackets(pair.hypothesis)
                compared += 1
    assert compared > 80


def test_bundled_splits_are_balanced_and_share_no_premise(bundled: Corpus) -> None:
    pairs: set[tuple[str, str]] = set()
    premises: list[set[str]] = []
    for split, rows in bundled.items():
        assert len(rows) == sample.SIZES[split]
        labels = Counter(row["gold_label"] for row in rows)
        assert all(abs(labels[name] / len(rows) - 1 / 3) < 0.02 for name in INFERENCE_LABELS)
        pairs |= {(row["sentence1"], row["sentence2"]) for row in rows}
        premises.append({row["sentence1"] for row in rows})
    assert len(pairs) == sum(sample.SIZES.values())
    assert sum(map(len, premises)) == len(set.union(*premises))


def test_bundled_parses_have_the_words_of_the_sentences(bundled: Corpus) -> None:
    parse_of: dict[str, str] = {}
    lengths = Counter[int]()
    for row in (row for rows in bundled.values() for row in rows):
        for number in "12":
            text, parse = row[f"sentence{number}"], row[f"sentence{number}_binary_parse"]
            if text not in parse_of:
                tokens, _ = from_brackets(parse)
                assert tokens == [*text.removesuffix(".").split(), "."]
                lengths[len(tokens) - 1] += 1
            assert parse_of.setdefault(text, parse) == parse  # no sentence has two readings
    assert min(lengths) <= 4
    assert max(lengths) == sample.LONGEST
    assert len({word for text in parse_of for word in text[:-1].split()}) < 150


def test_words_alone_say_little(bundled: Corpus) -> None:
    """No function of the two bags of words labels more than 64 of 100 training pairs rightly."""
    by_bags: dict[tuple[str, ...], Counter[str]] = {}
    for row in bundled["train"]:
        key = tuple(" ".join(sorted(row[f"sentence{n}"][:-1].split())) for n in "12")
        by_bags.setdefault(key, Counter())[row["gold_label"]] += 1
    best = sum(max(labels.values()) for labels in by_bags.values())
    assert best / len(bundled["train"]) < 0.64


def test_hypotheses_alone_say_next_to_nothing(bundled: Corpus) -> None:
    """Naive Bayes on the words and word pairs of the hypothesis stays near one in three."""

    def features(row: dict[str, Any]) -> set[str]:
        tokens = ["", *row["sentence2"][:-1].split(), "."]
        return {*tokens, *(" ".join(pair) for pair in pairwise(tokens))}

    counts = {name: Counter[str]() for name in INFERENCE_LABELS}
    for row in bundled["train"]:
        counts[row["gold_label"]].update(features(row))
    right = 0
    for row in bundled["test"]:
        scores = [
            sum(np.log(counts[name][f] + 1) for f in features(row)) for name in INFERENCE_LABELS
        ]
        right += INFERENCE_LABELS[int(np.argmax(scores))] == row["gold_label"]
    assert right / len(bundled["test"]) < 0.42


def test_the_readme_tells_the_checksums_of_the_files() -> None:
    text = (BUNDLED / "README.md").read_text(encoding="utf-8")
    for split in sample.SIZES:
        assert hashlib.sha256((BUNDLED / f"{split}.jsonl").read_bytes()).hexdigest() in text
