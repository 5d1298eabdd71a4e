"""The sample corpus: its families, and the bundled files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinn.data.labels import INFERENCE_LABELS
from spinn.generators.dice import Dice
from spinn.generators.sample import corpus as sample
from spinn.generators.sample.corpus import (
    LONG,
    LONGER,
    SHORT,
    Limits,
    Shared,
    draw_families,
    draw_rows,
    families_for,
    generate,
)
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


def test_the_longer_set_does_not_depend_on_the_other_sizes(tmp_path: Path) -> None:
    generate(tmp_path, seed=5, sizes={"dev": 5, LONGER: 7})
    longer = (tmp_path / f"{LONGER}.jsonl").read_bytes()
    assert longer.count(b"\n") == 7
    assert hashlib.sha256(longer).hexdigest() == (  # as without dev
        "6d09fcb130d369c6f456641862af1297b408024717dc6e9487a4798a40f9faf2"
    )


@pytest.mark.parametrize(("limits", "count"), [(SHORT, 40), (LONG, 15)])
def test_a_family_has_different_labels_for_the_same_words(limits: Limits, count: int) -> None:
    for family in islice(draw_families(families_for(240), set(), Dice(7), limits), count):
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


@pytest.mark.parametrize(
    ("split", "seed", "limits", "count"),
    [("test", sample.SEED, SHORT, 40), (LONGER, sample.SEED + 1, LONG, 15)],
)
def test_bundled_files_are_those_of_the_generator(
    bundled: Corpus, split: str, seed: int, limits: Limits, count: int
) -> None:
    written = {row["pairID"]: row for row in bundled[split]}
    families = draw_families(families_for(sample.SIZES[split]), set(), Dice(seed), limits)
    compared = 0
    for number, family in enumerate(islice(families, count)):
        for member, pair in enumerate(family):
            row = written.get(f"{split}-{number}.{member}")
            if row is not None:  # the last few of a split are cut off
                assert row["gold_label"] == pair.label
                assert row["sentence1_binary_parse"] == to_binary_brackets(pair.premise)
                assert row["sentence2_binary_parse"] == to_binary_brackets(pair.hypothesis)
                compared += 1
    assert compared >= 2 * count


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
    for text, parse in (one for rows in bundled.values() for one in sentences(rows)):
        if text not in parse_of:
            tokens, _ = from_brackets(parse)
            assert tokens == [*text.removesuffix(".").split(), "."]
        assert parse_of.setdefault(text, parse) == parse  # no sentence has two readings


def sentences(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the text and the parse of each premise and hypothesis."""
    for row in rows:
        yield from ((row[f"sentence{n}"], row[f"sentence{n}_binary_parse"]) for n in "12")


def depth(parse: str) -> int:
    """Return the largest number of brackets around a word."""
    return max(parse[:end].count("(") - parse[:end].count(")") for end in range(len(parse)))


def test_the_longer_set_is_longer_and_deeper_than_the_others(bundled: Corpus) -> None:
    lengths, depths = {}, {}
    for split, rows in bundled.items():
        distinct = set(sentences(rows))
        lengths[split] = [len(text.split()) for text, _ in distinct]
        depths[split] = [depth(parse) for _, parse in distinct]
    for split in ("train", "dev", "test"):
        assert (min(lengths[split]), max(lengths[split])) == (4, 20)
        assert max(depths[split]) == 12
    assert min(lengths[LONGER]) >= 21
    assert max(lengths[LONGER]) == 40
    assert min(depths[LONGER]) == 13
    assert max(depths[LONGER]) == 17


def test_all_words_occur_in_training(bundled: Corpus) -> None:
    words = {
        split: Counter(word for text, _ in sentences(rows) for word in text[:-1].split())
        for split, rows in bundled.items()
    }
    assert len(words["train"]) < 150
    assert min(words["train"].values()) > 1  # rarer words would be unknown
    assert all(of_split.keys() <= words["train"].keys() for of_split in words.values())


@pytest.mark.parametrize("split", ["train", LONGER])
def test_words_alone_say_little(bundled: Corpus, split: str) -> None:
    """No function of the two bags of words labels more than 64 of 100 pairs rightly."""
    by_bags: dict[tuple[str, ...], Counter[str]] = {}
    for row in bundled[split]:
        key = tuple(" ".join(sorted(row[f"sentence{n}"][:-1].split())) for n in "12")
        by_bags.setdefault(key, Counter())[row["gold_label"]] += 1
    best = sum(max(labels.values()) for labels in by_bags.values())
    assert best / len(bundled[split]) < 0.64


@pytest.mark.parametrize("split", ["test", LONGER])
def test_hypotheses_alone_say_next_to_nothing(bundled: Corpus, split: str) -> None:
    """Naive Bayes on the words and word pairs of the hypothesis stays near one in three."""

    def features(row: dict[str, Any]) -> set[str]:
        tokens = ["", *row["sentence2"][:-1].split(), "."]
        return {*tokens, *(" ".join(pair) for pair in pairwise(tokens))}

    counts = {name: Counter[str]() for name in INFERENCE_LABELS}
    for row in bundled["train"]:
        counts[row["gold_label"]].update(features(row))
    right = 0
    for row in bundled[split]:
        scores = [
            sum(np.log(counts[name][f] + 1) for f in features(row)) for name in INFERENCE_LABELS
        ]
        right += INFERENCE_LABELS[int(np.argmax(scores))] == row["gold_label"]
    assert right / len(bundled[split]) < 0.42


def test_manifest_and_readme_have_the_checksums_of_the_files() -> None:
    text = (BUNDLED / "README.md").read_text(encoding="utf-8")
    files = json.loads((BUNDLED / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert files.keys() == {f"{split}.jsonl" for split in sample.SIZES}
    for name, described in files.items():
        content = (BUNDLED / name).read_bytes()
        assert described["sha256"] == hashlib.sha256(content).hexdigest()
        assert described["lines"] == content.count(b"\n")
        assert described["sha256"] in text


def test_the_first_three_files_are_unchanged() -> None:
    """Results on the bundled corpus are comparable only as long as they are."""
    together = b"".join((BUNDLED / f"{one}.jsonl").read_bytes() for one in ("train", "dev", "test"))
    assert hashlib.sha256(together).hexdigest() == (
        "c89d143e89a506426ac25f4a166fa52e699279e8d17f687f1b8aa458aa88c771"
    )
