"""The model that comes with the package: its size, its files, and the examples of its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import spinn
from spinn.commands.main import main
from spinn.pretrained import SHIPPED

pytest.importorskip("spacy", reason="it tokenises the sentences")

FOLDER = Path(spinn.__file__).parent / "shipped" / SHIPPED
PAGE = Path(__file__).parents[1] / "docs" / "model.md"


@pytest.fixture(scope="module")
def model() -> spinn.Predictor:
    return spinn.load()


def page_examples() -> list[list[str]]:
    """Return premise, hypothesis and label of each example of the page."""
    rows = [line.strip("| \n").split(" | ") for line in PAGE.open(encoding="utf-8")]
    return [row for row in rows if row[-1] in ("entailment", "neutral", "contradiction")]


def test_it_is_small_and_names_no_place_of_ours():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 8_000_000
    for name in ("config.json", "README.md"):
        assert not re.search(r"/(home|root|tmp|work)/", (FOLDER / name).read_text("utf-8"))


def test_it_answers_the_examples_that_were_written_before_it_was_tried(model):
    examples = page_examples()
    assert len(examples) == 10
    predictions = model.predict([(premise, hypothesis) for premise, hypothesis, _ in examples])
    right = [one.label == row[2] for one, row in zip(predictions, examples, strict=True)]
    assert sum(right) >= 9


def test_it_builds_its_own_trees(model):
    (premise, _) = model.predict(("A dog is running in the snow.", "An animal is outside.")).trees
    assert premise.brackets == "( ( A dog ) ( ( is ( running ( in ( the snow ) ) ) ) . ) )"


def test_the_commands_use_it_where_no_run_is_given(capsys):
    assert main(["predict", "--json", "A dog is running.", "A cat is sleeping."]) == 0
    alone = capsys.readouterr().out
    assert main(["predict", SHIPPED, "--json", "A dog is running.", "A cat is sleeping."]) == 0
    assert capsys.readouterr().out == alone
