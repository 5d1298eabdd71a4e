"""The experiments that come with the package: each can be repeated, and says what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinn.errors import ConfigurationError, DataError
from spinn.studies.reference import (
    Claim,
    Figures,
    experiment_file,
    experiment_names,
    in_words,
    read_claim,
)
from spinn.studies.study import expand, overlay, read_description


def given(needs: dict[str, str]) -> dict[str, object]:
    """Name a file for everything that is needed."""
    flags: dict[str, object] = {
        name: "v.txt" if name == "vectors" else ["x"]
        for name in needs
        if name in ("train", "dev", "test", "vectors")
    }
    also = [f"{name}=x" for name in needs if name not in flags]
    return flags | ({"also": also} if also else {})


@pytest.mark.parametrize("name", experiment_names())
def test_every_experiment_can_be_multiplied_out(name):
    description = read_description(experiment_file(name))
    claim = description.claim
    assert claim is not None
    assert claim.title
    assert claim.task
    grid = expand(overlay(description, given(claim.needs), {}, None), name)
    sets = {"dev", "test", *claim.needs}
    for figures in claim.wanted:
        assert figures.model in grid.rows
    for figures in (*claim.wanted, *claim.published):
        assert set(figures.figures) <= sets
        assert all(0 < value <= 100 for value in figures.figures.values())
    assert all(figures.source for figures in claim.published)
    if claim.needs:
        with pytest.raises(ConfigurationError, match="This experiment needs files"):
            expand(description, name)


def test_an_experiment_that_is_not_there():
    with pytest.raises(
        ConfigurationError, match=r"no experiment called 'snli'; choose from .*sick"
    ):
        experiment_file("snli")


def test_a_folder_gives_train_dev_and_test():
    claim = Claim("title", "task", {"train": "a", "test": "b", "7": "c"})
    with pytest.raises(ConfigurationError) as caught:
        claim.check_files({"data": "folder"})
    assert str(caught.value) == "This experiment needs files. Add --also 7=FILE (c)."
    claim.check_files({"data": "folder", "also": ["7=d"]})


@pytest.mark.parametrize("also", [3, "7=x", [3]])
def test_further_sets_that_are_no_list_of_texts_are_left_to_the_check_of_options(also):
    claim = Claim("title", "task", needs={"train": "a file"})
    claim.check_files({"train": ["x"], "also": also})
    with pytest.raises(ConfigurationError, match="needs files"):
        claim.check_files({"also": also})


def test_figures_in_words():
    figures = [
        Figures("TreeRNN", {"7": 98, "8": 97.5}, "A"),
        Figures("LSTM", {"7": 88, "8": 84}, "A"),
        Figures("LSTM", {"7": 87, "8": 83}, "B"),
        Figures("bag", {"dev": 50}),
    ]
    assert in_words(figures) == (
        "TreeRNN: 98, 97.5; LSTM: 88, 84 on 7, 8 (A); LSTM: 87, 83 on 7, 8 (B); bag: 50 on dev"
    )
    claim = Claim("title", "task", published=tuple(figures[2:]), wanted=(figures[3],))
    assert claim.remarks() == [
        "Published: LSTM: 87, 83 on 7, 8 (B); bag: 50 on dev.",
        "Wanted: bag: 50 on dev.",
    ]
    assert Claim("title", "task").remarks() == []


@pytest.mark.parametrize(
    "values",
    [
        {"title": "a"},
        {"title": "a", "task": "b", "taks": "c"},
        {"title": "a", "task": "b", "published": [{"model": "c"}]},
        {"title": "a", "task": "b", "wanted": ["c"]},
        {"title": "a", "task": "b", "wanted": 3},
        {"title": "a", "task": "b", "wanted": [{"model": "c", "figures": 3}]},
        {"title": "a", "task": "b", "published": [{"model": "c", "figures": {"dev": "x"}}]},
        {"title": "a", "task": "b", "published": [{"model": 1, "figures": {"dev": 1}}]},
        {"title": "a", "task": "b", "needs": "train"},
        {"title": "a", "task": "b", "needs": {"train": 1}},
        {"title": "a", "task": 3},
        "title",
    ],
)
def test_what_is_not_understood_is_told_with_its_file(values):
    with pytest.raises(DataError, match=r"study\.toml: \[experiment\] is not understood .* See"):
        read_claim(values, Path("study.toml"))
