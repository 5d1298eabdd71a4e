"""Figures of a study: learning curves, accuracy by length and depth, F1 of trees.

They are drawn on matplotlib's Agg canvas, which needs no display, and written atomically as PNG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, repeat
from pathlib import Path
from statistics import fmean
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from spinn.data.examples import kind_with
from spinn.evaluation.plots import TEXT_COLOUR, write_png
from spinn.studies.measurement import SplitMeasurement
from spinn.studies.summary import (
    Measurements,
    RowSummary,
    common_splits,
    correctness,
    sides_of,
)
from spinn.studies.tables import COMPARED
from spinn.transitions import TransitionArray, fold

FloatArray = NDArray[np.float64]
# Learning curves of each row, by seed.
Metrics = Mapping[str, Mapping[int, Sequence[Mapping[str, Any]]]]

BINS = 6
_LINES = ("-", "--", ":", "-.")


def plot_learning_curves(metrics: Metrics, path: Path, title: str) -> None:
    """Plot loss and accuracy on dev over epochs: each row's mean, with a band over its seeds."""
    figure = _figure(title, 11, 4.2)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for number, (row, runs) in enumerate(metrics.items()):
            if runs:
                epochs, values = dev_curves(list(runs.values()), name)
                _draw_band(axes, epochs, values, number, row)
        _style(axes, f"dev {name}", "epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=None))
    _legend(figure, axes, "line: mean, band: lowest to highest seed")
    write_png(figure, path)


def dev_curves(
    runs: Sequence[Sequence[Mapping[str, Any]]], name: str
) -> tuple[FloatArray, FloatArray]:
    """Return epochs ``[E]`` and the values ``[S, E]`` of a metric on dev, for S runs.

    Values are NaN after the last epoch of a run.
    """
    curves = [
        {
            float(record["epoch"]): float(record[name])
            for record in run
            if record["kind"] == "dev" and name in record
        }
        for run in runs
    ]
    epochs = sorted({epoch for curve in curves for epoch in curve})
    values = [[curve.get(epoch, np.nan) for epoch in epochs] for curve in curves]
    return np.array(epochs), np.array(values)


def plot_accuracy(measurements: Measurements, path: Path, title: str) -> None:
    """Plot accuracy by the length of sentences and by the depth of the rows' own trees.

    The set is test if every run has one, else dev. A pair is binned by its longer sentence and by
    its deeper tree.
    """
    split = common_splits(measurements)[-1]
    sides = sides_of(measurements)
    figure = _figure(f"{title}, {split}", 11, 4.2)
    by_length, by_depth = figure.subplots(1, 2)
    for number, (row, runs) in enumerate(measurements.items()):
        if not runs:
            continue
        correct = correctness(runs, split)
        sets = [run.sets[split] for run in runs.values()]
        lengths = np.stack([longest(one)[one.labelled] for one in sets])
        _draw_bins(by_length, lengths, correct, number, row)
        if all(one.trees is not None for one in sets):
            depths = np.stack([deepest(one)[one.labelled] for one in sets])
            _draw_bins(by_depth, depths, correct, number, row)
    _style(
        by_length, "accuracy by length", f"words of the {'longer ' if sides > 1 else ''}sentence"
    )
    _style(
        by_depth,
        "accuracy by depth",
        "largest number of nodes above a word, in the row's own trees",
    )
    for axes in (by_length, by_depth):
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=None))
    meaning = (
        f"line: mean, band: lowest to highest seed, a point per bin of {kind_with(sides).unit}"
    )
    _legend(figure, by_length, meaning)
    write_png(figure, path)


def longest(content: SplitMeasurement) -> NDArray[np.int64]:
    """Return the number of words of the longer sentence of each pair, ``[P]``."""
    return content.lengths.reshape(len(content.gold), -1).max(axis=1).astype(np.int64)


def deepest(content: SplitMeasurement) -> NDArray[np.int64]:
    """Return the height of the deeper tree of each pair, ``[P]``.

    Raises
    ------
    ValueError
        If the model has no trees.

    """
    if content.trees is None:
        raise ValueError("there are no trees")
    heights = np.array([height(tree) for tree in content.trees], dtype=np.int64)
    return heights.reshape(len(content.gold), -1).max(axis=1)


def height(tree: TransitionArray) -> int:
    """Return the number of nodes above the deepest word; 0 for a tree of one word."""
    return fold(repeat(0), tree, lambda left, right: 1 + max(left, right))


def bin_edges(values: NDArray[np.int64], bins: int = BINS) -> NDArray[np.int64]:
    """Return integer edges of bins of about equal size; bin k is ``[edges[k], edges[k + 1])``.

    There are fewer bins if there are few distinct values.
    """
    quantiles = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1], method="lower")
    inner = [int(edge) for edge in quantiles if values.min() < edge]
    return np.unique([int(values.min()), *inner, int(values.max()) + 1])


def _draw_bins(
    axes: Axes, values: NDArray[np.int64], correct: NDArray[np.bool_], number: int, row: str
) -> None:
    """Draw a row's accuracy over bins of values; both arrays are ``[S, P]``."""
    edges = bin_edges(values)
    accuracies = np.full((len(correct), len(edges) - 1), np.nan)
    centres = np.empty(len(edges) - 1)
    for place, (low, high) in enumerate(pairwise(edges)):
        inside = (values >= low) & (values < high)
        centres[place] = values[inside].mean() if inside.any() else np.nan
        for seed in range(len(correct)):
            if inside[seed].any():
                accuracies[seed, place] = correct[seed, inside[seed]].mean()
    seen = ~np.isnan(centres)
    _draw_band(axes, centres[seen], accuracies[:, seen], number, row)


def plot_trees(rows: Sequence[RowSummary], path: Path, title: str) -> None:
    """Plot bars of parse F1 against gold and fixed shapes, and between seeds.

    If no row has trees, no figure is written and an existing one is deleted.
    """
    drawn = [(row.name, scores) for row in rows if (scores := _scores(row))]
    if not drawn:
        path.unlink(missing_ok=True)
        return
    names = [name for name in (*COMPARED, "self") if any(name in scores for _, scores in drawn)]
    figure = _figure(f"{title}: F1 of trees", max(7.0, 1.1 * len(drawn) * len(names) ** 0.5), 4.2)
    axes = figure.subplots()
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        for index, (_, scores) in enumerate(drawn):
            if name in scores:
                _draw_bar(axes, index + (place + 0.5) * width - 0.4, width, scores[name], place)
        axes.bar([0], [0], color=_colour(place), label=name)  # for the legend
    room = int(11 * figure.get_figwidth() / len(drawn))  # about as many characters fit below a bar
    axes.set_xticks(range(len(drawn)), [fill(_plain(name), room) for name, _ in drawn], fontsize=9)
    _style(axes, "", "")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=None))
    _legend(figure, axes, "bar: mean, line: lowest to highest seed (self: pair of seeds)")
    write_png(figure, path)


def _scores(row: RowSummary) -> dict[str, tuple[float, ...]]:
    if row.trees is None:
        return {}
    return row.trees.f1 | ({"self": row.trees.agreement} if row.trees.agreement else {})


def _draw_bar(axes: Axes, x: float, width: float, values: Sequence[float], place: int) -> None:
    low, high = min(values), max(values)
    mean = min(max(fmean(values), low), high)  # rounding may put the mean of equal values outside
    spread = [[mean - low], [high - mean]] if len(values) > 1 else None
    axes.bar(x, mean, 0.92 * width, color=_colour(place), yerr=spread, ecolor=TEXT_COLOUR)


def _figure(title: str, width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    figure.suptitle(_plain(title), fontsize=13, color=TEXT_COLOUR)
    return figure


def _plain(text: str) -> str:
    """Return a text without mathematics, and without the first sign of labels that are hidden."""
    return text.replace("$", r"\$").replace("_", " _", 1 if text.startswith("_") else 0)


def _colour(number: int) -> Any:
    return colormaps["tab10"](number % 10)


def _draw_band(axes: Axes, x: FloatArray, values: FloatArray, number: int, label: str) -> None:
    """Draw the mean of values ``[S, X]`` over seeds, and a band from the lowest to the highest."""
    colour, line = _colour(number), _LINES[number // 10 % len(_LINES)]
    if len(values) > 1:
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    mean = np.nanmean(values, axis=0)
    axes.plot(x, mean, line, marker="o", markersize=3.5, color=colour, lw=1.6, label=_plain(label))


def _style(axes: Axes, title: str, x_label: str) -> None:
    axes.set_title(title, fontsize=11, color=TEXT_COLOUR)
    axes.set_xlabel(x_label, color=TEXT_COLOUR)
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=TEXT_COLOUR, labelsize=9)


def _legend(figure: Figure, axes: Axes, meaning: str) -> None:
    """Put one legend, titled ``meaning``, below all panels; enlarge the figure by its height."""
    handles, names = axes.get_legend_handles_labels()
    renderer = FigureCanvasAgg(figure).get_renderer()
    for columns in range(min(5, max(1, len(names))), 0, -1):
        legend = figure.legend(
            handles,
            names,
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=9,
            title=meaning,
            title_fontsize=9,
        )
        box = legend.get_window_extent(renderer)
        if box.width <= figure.bbox.width or columns == 1:
            break
        legend.remove()  # too wide: try fewer columns
    figure.set_figheight(figure.get_figheight() + box.height / figure.dpi)
