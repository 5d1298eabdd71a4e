"""Figures of studies: the plotted numbers, and the files."""

from __future__ import annotations

import warnings
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from examples import LENGTHS, a_set, a_study, left
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from spinn.studies.figures import (
    _legend,
    bin_edges,
    deepest,
    dev_curves,
    height,
    longest,
    plot_accuracy,
    plot_learning_curves,
    plot_trees,
)
from spinn.studies.summary import RowSummary, TreeScores, summarise
from spinn.transitions import balanced, from_brackets


def record(kind: str, epoch: int, loss: float) -> dict[str, object]:
    return {"kind": kind, "epoch": epoch, "loss": loss, "accuracy": 1 - loss}


RUNS = [
    [record("train", 1, 0.9), record("dev", 1, 0.8), record("dev", 2, 0.6)],
    [record("dev", 1, 0.7)],
]


def test_curves_are_stacked():
    epochs, losses = dev_curves(RUNS, "loss")
    np.testing.assert_array_equal(epochs, [1, 2])
    np.testing.assert_array_equal(losses, [[0.8, 0.6], [0.7, np.nan]])


@pytest.mark.parametrize(
    ("brackets", "expected"),
    [("a", 0), ("( a b )", 1), ("( ( a b ) ( c d ) )", 2), ("( a ( ( b c ) d ) )", 3)],
)
def test_height(brackets, expected):
    assert height(from_brackets(brackets)[1]) == expected
    assert height(balanced(9)) == 4


def test_a_pair_is_binned_by_its_longer_sentence_and_deeper_tree():
    content = a_set([0, 0, 0], left())
    assert LENGTHS == [4, 3, 2, 1, 5, 4]
    np.testing.assert_array_equal(longest(content), [4, 2, 5])
    np.testing.assert_array_equal(deepest(content), [3, 1, 4])


def test_single_sentences_are_binned_by_themselves():
    content = replace(a_set([0, 0, 0]), lengths=np.array([4, 3, 2]), trees=left()[:3])
    np.testing.assert_array_equal(longest(content), [4, 3, 2])
    np.testing.assert_array_equal(deepest(content), [3, 2, 1])


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 8))
def test_every_value_is_in_one_bin(values, bins):
    array = np.array(values)
    edges = bin_edges(array, bins)
    assert 2 <= len(edges) <= bins + 2
    assert (np.diff(edges) > 0).all()
    counts, _ = np.histogram(array, bins=edges - 0.5)
    assert counts.sum() == len(values)


def test_bins_have_about_equal_sizes():
    counts, _ = np.histogram(np.arange(600), bins=bin_edges(np.arange(600), 6) - 0.5)
    assert counts.min() >= 99
    assert counts.max() <= 101


def test_figures_are_written_without_warnings(tmp_path):
    study = a_study()
    odd = {"_a $^$ b": {1: RUNS[1]}, "costs $5_ and $6_": {1: RUNS[0]}}
    metrics = {"SPINN": {1: RUNS[0], 2: RUNS[1]}, "LSTM": {1: RUNS[1]}, "never run": {}} | odd
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_learning_curves(metrics, tmp_path / "curves.png", "study $^$")
        plot_accuracy(study, tmp_path / "accuracy.png", "study")
        plot_trees(summarise(study, "SPINN"), tmp_path / "trees.png", "study")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["accuracy.png", "curves.png", "trees.png"]
    for path in tmp_path.iterdir():
        image = imread(path)[..., :3]
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20


@pytest.mark.parametrize("length", [3, 30, 80])
def test_the_legend_is_inside_the_figure(length):
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    axes = figure.subplots()
    for number in range(11):
        axes.plot([0, 1], label=f"{number:02}".ljust(length, "m"))
    _legend(figure, axes, "line: mean")
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    box, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0 < box.x1 <= whole.x1
    assert whole.y0 <= box.y0 < box.y1 <= whole.y1
    assert axes.get_window_extent().height > 0.6 * 4.6 * figure.dpi


def test_all_seeds_may_have_the_same_trees(tmp_path):
    f1 = 0.49543508709194095
    assert fmean([f1] * 3) > f1  # the mean is rounded up
    scores = TreeScores("test", {"left": (f1,) * 3}, (1.0,) * 3, (2.5,) * 3)
    plot_trees([RowSummary("SPINN", (1, 2, 3), trees=scores)], tmp_path / "trees.png", "study")
    assert (tmp_path / "trees.png").exists()


def test_without_trees_an_old_figure_is_deleted(tmp_path):
    path = tmp_path / "trees.png"
    path.write_bytes(b"an earlier figure")
    plot_trees(summarise({"LSTM": a_study()["LS_TM | 50%"]}, "LSTM"), path, "study")
    assert not path.exists()
