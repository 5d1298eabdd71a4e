"""References: their format and their checks."""

from __future__ import annotations

import pytest

from spinn.studies.reference import Reference, format_references


def test_references_of_the_same_sets_and_source_are_grouped():
    references = [
        Reference("TreeRNN", {"7": 98, "8": 97.5}, "A"),
        Reference("LSTM", {"7": 88, "8": 84}, "A"),
        Reference("LSTM", {"7": 87, "8": 83}, "B"),
        Reference("bag", {"dev": 50}),
    ]
    assert format_references(references) == (
        "TreeRNN: 98, 97.5; LSTM: 88, 84 on 7, 8 (A); LSTM: 87, 83 on 7, 8 (B); bag: 50 on dev"
    )
    assert format_references([]) == ""


@pytest.mark.parametrize(
    "values",
    [
        {"model": 1, "accuracy": {"dev": 1}},
        {"model": "LSTM", "accuracy": 3},
        {"model": "LSTM", "accuracy": {"dev": "x"}},
        {"model": "LSTM", "accuracy": {"dev": 1}, "source": 3},
    ],
)
def test_values_of_another_type_are_rejected(values):
    with pytest.raises(TypeError, match="must be"):
        Reference(**values)
