"""Plots of the learning curve of a run, and of confusion matrices.

Training appends a record to ``metrics.jsonl`` at every logging step and after every evaluation on
the development set; :func:`plot_learning_curve` plots these records to a PNG file. It uses
matplotlib's objects and the Agg canvas instead of ``pyplot``, so it needs no display and has no
global state.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, ScalarFormatter
from numpy.typing import NDArray

from spinn.support.errors import SpinnError, shorten
from spinn.support.files import written_whole
from spinn.support.text import printable

Record = Mapping[str, Any]
FloatArray = NDArray[np.float64]

TRAIN_COLOUR = "#3b6fb6"
DEV_COLOUR = "#d1622b"
TEXT_COLOUR = "#333333"
LOG_SCALE_RATIO = 30.0  # if the ratio of the losses is larger, the axis is logarithmic
MOST_LABELS = 16  # of a confusion matrix that shows names and numbers
SMOOTHED_FROM = 40  # train curves with at least this number of records are smoothed


def plot_learning_curve(
    records: Sequence[Record], path: Path, title: str, measure: str = "accuracy"
) -> None:
    """Plot loss and accuracy on the training and development set over epochs to a PNG file.

    Parameters
    ----------
    records
        Records of ``metrics.jsonl``: ``kind`` is ``"train"`` or ``"dev"`` (others are ignored),
        ``epoch`` the number of epochs completed, ``loss`` the mean per pair and ``accuracy`` a
        fraction.
    path
        The output file; it is replaced when the plot is complete.
    title
        The title of the figure.
    measure
        What is plotted beside the loss: ``"accuracy"`` or ``"perplexity"``.

    Raises
    ------
    SpinnError
        If there is neither a train nor a dev record, or the file cannot be written.

    """
    figure = learning_curve_figure(records, title, measure)
    write_png(figure, path)


def learning_curve_figure(
    records: Sequence[Record], title: str, measure: str = "accuracy"
) -> Figure:
    """Return the figure of :func:`plot_learning_curve`.

    Raises
    ------
    SpinnError
        If there is neither a train nor a dev record.

    """
    records = [record for record in records if record.get("kind") in ("train", "dev")]
    if not records:
        raise SpinnError("There is nothing to plot yet: train until the first metrics are logged.")
    figure = Figure(figsize=(11, 4.4), dpi=150, layout="constrained")
    figure.suptitle(title, fontsize=13, color=TEXT_COLOUR)
    loss_axes, measure_axes = figure.subplots(1, 2)
    _draw_curves(loss_axes, records, "loss")
    _draw_curves(measure_axes, records, measure)
    _set_loss_scale(loss_axes, records)
    if measure == "accuracy":
        measure_axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=None))
    else:
        measure_axes.set_yscale("log")
        measure_axes.yaxis.set_major_formatter(ScalarFormatter())
    _mark_best(loss_axes, measure_axes, records, measure)
    # The panels have the same curves, so they share a legend, which covers neither.
    handles, names = loss_axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def confusion_image(confusion: NDArray[np.int64], labels: Sequence[str]) -> NDArray[np.uint8]:
    """Return an image ``[height, width, 3]`` of a confusion matrix ``[K, K]``.

    Rows are gold labels, columns predicted ones. A cell has the number of examples, and a colour
    for its share of the row.
    """
    size = 2.0 + 0.6 * min(len(labels), MOST_LABELS)
    figure = Figure(figsize=(size, size), dpi=100, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("gold")
    if len(labels) <= MOST_LABELS:
        names = [shorten(printable(label), 20) for label in labels]
        axes.set_xticks(range(len(names)), names, rotation=90, parse_math=False)
        axes.set_yticks(range(len(names)), names, parse_math=False)
        for (row, column), count in np.ndenumerate(confusion):
            colour = "white" if shares[row, column] > 0.5 else TEXT_COLOUR
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters of labels that no font has
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _series(records: Sequence[Record], kind: str, name: str) -> tuple[FloatArray, FloatArray]:
    """Return the epochs and the values ``name`` of one kind of record."""
    chosen = [record for record in records if record["kind"] == kind and name in record]
    epochs = np.array([record["epoch"] for record in chosen], dtype=np.float64)
    return epochs, np.array([record[name] for record in chosen], dtype=np.float64)


def _draw_curves(axes: Axes, records: Sequence[Record], name: str) -> None:
    """Draw the train and dev curves of one metric, and format the axes."""
    epochs, values = _series(records, "train", name)
    if len(epochs) >= SMOOTHED_FROM:
        size = max(3, len(epochs) // 40)
        axes.plot(epochs, values, color=TRAIN_COLOUR, linewidth=0.7, alpha=0.25)
        label = f"train (mean of {size} records)"
        axes.plot(epochs, _running_mean(values, size), color=TRAIN_COLOUR, lw=1.6, label=label)
    elif len(epochs):
        axes.plot(epochs, values, color=TRAIN_COLOUR, linewidth=1.6, label="train")
    epochs, values = _series(records, "dev", name)
    if len(epochs):
        axes.plot(epochs, values, "o-", color=DEV_COLOUR, lw=1.6, markersize=3.5, label="dev")
    axes.set_xlabel("epoch", color=TEXT_COLOUR)
    axes.set_title(name, fontsize=11, color=TEXT_COLOUR)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(left=0, right=max(1.0, *(record["epoch"] for record in records)) * 1.02)
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=TEXT_COLOUR, labelsize=9)


def _running_mean(values: FloatArray, size: int) -> FloatArray:
    """Average each value and up to ``size - 1`` values before it."""
    total = np.concatenate(([0.0], np.nancumsum(values)))
    finite = np.concatenate(([0], np.isfinite(values).cumsum()))
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - size, 0)
    return (total[end] - total[start]) / np.maximum(finite[end] - finite[start], 1)


def _set_loss_scale(axes: Axes, records: Sequence[Record]) -> None:
    """Use a logarithmic axis if the losses span orders of magnitude, else a linear one from 0."""
    values = np.concatenate([_series(records, kind, "loss")[1] for kind in ("train", "dev")])
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() / values.min() > LOG_SCALE_RATIO:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.set_ylabel("logarithmic scale", fontsize=9, color=TEXT_COLOUR)
    else:
        axes.set_ylim(bottom=min(0.0, *axes.get_ylim()))


def _mark_best(
    loss_axes: Axes, measure_axes: Axes, records: Sequence[Record], measure: str
) -> None:
    """Mark the dev point with the best value of the measure, the earliest one in a tie."""
    both = [record for record in records if {measure, "loss"} <= record.keys()]
    epochs, values = _series(both, "dev", measure)
    _, losses = _series(both, "dev", "loss")
    if not np.isfinite(values).any():
        return
    is_accuracy = measure == "accuracy"
    best = int(np.nanargmax(values) if is_accuracy else np.nanargmin(values))
    epoch, value = float(epochs[best]), float(values[best])
    for axes, height in ((loss_axes, losses[best]), (measure_axes, value)):
        axes.axvline(epoch, color=DEV_COLOUR, linewidth=0.8, linestyle=":")
        axes.plot(epoch, height, marker="*", markersize=13, color=DEV_COLOUR, mec="white", zorder=5)
    late = epoch > measure_axes.get_xlim()[1] / 2
    low = not is_accuracy or value < np.mean(measure_axes.get_ylim())
    shown = f"{100 * value:.2f}%" if is_accuracy else f"{value:.2f}"
    measure_axes.annotate(
        f"best dev {shown}\nepoch {epoch:g}",
        xy=(epoch, value),
        xytext=(-12 if late else 12, 30 if low else -46),
        textcoords="offset points",
        ha="right" if late else "left",
        fontsize=9,
        color=TEXT_COLOUR,
        bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": DEV_COLOUR},
        arrowprops={"arrowstyle": "-", "color": DEV_COLOUR},
    )


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure to a PNG file atomically.

    Raises
    ------
    SpinnError
        If it cannot be written.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as scratch, scratch.open("wb") as stream:
            FigureCanvasAgg(figure).print_png(stream)
    except OSError as error:
        raise SpinnError(f"The figure cannot be written to {path}: {error}.") from error
