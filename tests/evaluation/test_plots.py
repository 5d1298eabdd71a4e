"""The learning curve: what the figure shows, and how the picture gets to its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from spinn.evaluation import plots
from spinn.evaluation.plots import DEV_COLOUR, learning_curve_figure, plot_learning_curve
from spinn.support.errors import SpinnError


def record(kind: str, epoch: float, loss: float, accuracy: float) -> dict[str, Any]:
    step = round(100 * epoch)
    return {"kind": kind, "epoch": epoch, "step": step, "loss": loss, "accuracy": accuracy}


def run(epochs: int = 5, per_epoch: int = 4) -> list[dict[str, Any]]:
    """Make records of a run whose dev accuracy is best at epoch 3."""
    records = []
    for step in range(1, epochs * per_epoch + 1):
        epoch = step / per_epoch
        records.append(record("train", epoch, 1.1 / (1 + epoch), 1 - 0.6 / (1 + epoch)))
        if step % per_epoch == 0:
            records.append(record("dev", epoch, 1.2 / (1 + epoch), 0.8 - 0.01 * (epoch - 3) ** 2))
    return records


def curves(figure: Figure, panel: int) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata()))
        for line in figure.axes[panel].get_lines()
        if not str(line.get_label()).startswith("_")
    }


def test_a_png_is_written(tmp_path: Path):
    path = tmp_path / "new folder" / "learning_curve.png"
    plot_learning_curve(run(), path, "SPINN-PI")
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    picture = imread(path)
    assert picture.shape[1] > 1.5 * picture.shape[0] > 600
    assert os.listdir(path.parent) == [path.name]


def test_the_dev_colour_is_seen_in_the_picture(tmp_path: Path):
    path = tmp_path / "curve.png"
    plot_learning_curve([r for r in run() if r["kind"] == "dev"], path, "")
    pixels = (imread(path)[..., :3] * 255).round().astype(int)
    wanted = [int(DEV_COLOUR[start : start + 2], 16) for start in (1, 3, 5)]
    assert (pixels == wanted).all(axis=-1).sum() > 200


def test_the_panels_show_the_records():
    records = run()
    figure = learning_curve_figure(records, "SPINN-PI")
    assert figure.get_suptitle() == "SPINN-PI"
    for panel, name in enumerate(("loss", "accuracy")):
        assert figure.axes[panel].get_title() == name
        shown = curves(figure, panel)
        assert set(shown) == {"train", "dev"}
        for kind in ("train", "dev"):
            chosen = [r for r in records if r["kind"] == kind]
            assert shown[kind] == ([r["epoch"] for r in chosen], [r[name] for r in chosen])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["train", "dev"]


@pytest.mark.parametrize("epochs", [1, 2, 7, 300])
def test_epochs_are_marked_by_integers(epochs: int):
    figure = learning_curve_figure(run(epochs), "")
    for axes in figure.axes:
        ticks = axes.get_xticks()
        assert np.array_equal(ticks, ticks.round())
        assert axes.get_xlim()[1] >= epochs


def test_the_first_best_dev_point_is_marked():
    records = [*run(), record("dev", 6.0, 0.1, 0.8)]  # as good as epoch 3, but later
    figure = learning_curve_figure(records, "")
    stars = [line for axes in figure.axes for line in axes.get_lines() if line.get_marker() == "*"]
    places = [(float(star.get_xdata()[0]), float(star.get_ydata()[0])) for star in stars]
    assert np.allclose(places, [(3.0, 1.2 / 4), (3.0, 0.8)])
    assert [to_hex(star.get_color()) for star in stars] == [DEV_COLOUR] * 2
    (note,) = figure.axes[1].texts
    assert note.get_text() == "best dev 80.00%\nepoch 3"


def test_perplexity_is_best_where_it_is_lowest():
    records = [
        {"kind": kind, "epoch": epoch, "loss": np.log(value), "perplexity": value}
        for epoch, value in ((1.0, 90.0), (2.0, 40.0), (3.0, 55.0))
        for kind in ("train", "dev")
    ]
    panel = learning_curve_figure(records, "", "perplexity").axes[1]
    assert panel.get_title() == "perplexity"
    assert panel.get_yscale() == "log"
    assert [text.get_text() for text in panel.texts] == ["best dev 40.00\nepoch 2"]


def test_the_note_stays_inside_the_panel():
    for best in range(6):
        records = run(1) + [
            record("dev", epoch, 1.0, 0.4 + 0.3 * (epoch == best)) for epoch in range(6)
        ]
        figure = learning_curve_figure(records, "")
        figure.draw_without_rendering()
        (note,) = figure.axes[1].texts
        panel, box = figure.axes[1].get_window_extent(), note.get_window_extent()
        assert panel.x0 <= box.x0 <= box.x1 <= panel.x1
        assert panel.y0 <= box.y0 <= box.y1 <= panel.y1


def test_many_train_records_are_smoothed_and_the_legend_says_so():
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, 200)
    records = [record("train", (i + 1) / 50, 1 + noise[i], 0.5) for i in range(200)]
    figure = learning_curve_figure(records, "")
    epochs, values = curves(figure, 0)["train (mean of 5 records)"]
    assert len(epochs) == 200
    assert values[0] == pytest.approx(1 + noise[0])
    assert values[1] == pytest.approx(1 + noise[:2].mean())
    assert values[100] == pytest.approx(1 + noise[96:101].mean())


def test_the_loss_axis_is_logarithmic_only_for_losses_of_very_different_size():
    assert learning_curve_figure(run(), "").axes[0].get_yscale() == "linear"
    assert learning_curve_figure(run(), "").axes[0].get_ylim()[0] == 0
    wide = [record("train", 0.5 * i, 4.0 / 10**i, 0.5) for i in range(4)]
    assert learning_curve_figure(wide, "").axes[0].get_yscale() == "log"


def test_records_without_dev_have_no_best_point():
    figure = learning_curve_figure([r for r in run() if r["kind"] == "train"], "")
    assert not figure.axes[1].texts
    assert set(curves(figure, 0)) == {"train"}


def test_a_dev_point_without_a_loss_is_not_the_best():
    records = [
        {"kind": "dev", "step": 1, "epoch": 1, "accuracy": 0.9},
        {"kind": "dev", "step": 2, "epoch": 2, "accuracy": 0.5, "loss": 1.0},
    ]
    figure = learning_curve_figure(records, "")
    assert "best dev 50.00%\nepoch 2" in {text.get_text() for text in figure.axes[1].texts}


def test_losses_that_are_no_number_leave_a_gap(tmp_path: Path):
    # JSON has no NaN, so a diverged loss comes back as None.
    records: list[dict[str, Any]] = [*run(), {"kind": "train", "epoch": 5.5, "step": 550}]
    records[-1] |= {"loss": None, "accuracy": 0.3}
    records += [record("dev", 6.0, float("nan"), float("nan"))]
    path = tmp_path / "curve.png"
    plot_learning_curve(records, path, "")
    assert path.exists()
    assert learning_curve_figure(records, "").axes[1].texts[0].get_text().endswith("epoch 3")


def test_other_kinds_of_record_are_passed_over():
    figure = learning_curve_figure([{"kind": "note", "text": "resumed"}, *run()], "")
    assert set(curves(figure, 0)) == {"train", "dev"}


@pytest.mark.parametrize("records", [[], [{"kind": "note"}]])
def test_nothing_to_plot_is_said(records: list[dict[str, Any]], tmp_path: Path):
    with pytest.raises(SpinnError, match="nothing to plot yet"):
        plot_learning_curve(records, tmp_path / "curve.png", "")
    assert not list(tmp_path.iterdir())


def test_an_old_picture_survives_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "curve.png"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(SpinnError, match=r"cannot be written to .*curve\.png: disk full"):
        plot_learning_curve(run(), path, "")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["curve.png"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpinnError, match="cannot be written to"):
        plot_learning_curve(run(), tmp_path / "file" / "curve.png", "")


def test_pyplot_is_left_alone(tmp_path: Path):
    # In a process of its own, for any other test may import pyplot.
    script = (
        "import sys; from pathlib import Path; "
        "from spinn.evaluation.plots import plot_learning_curve as plot; "
        "record = {'kind': 'dev', 'epoch': 1.0, 'loss': 1.0, 'accuracy': 0.5}; "
        "plot([record], Path(sys.argv[1]), 'one epoch'); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    path = tmp_path / "curve.png"
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert path.exists()


def test_a_confusion_matrix_is_an_image_with_darker_cells_for_larger_shares():
    diagonal = np.array([[9, 0], [0, 3]])
    image = plots.confusion_image(diagonal, ("yes", "n$o$ \u8a9e\x07"))
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert (image != plots.confusion_image(diagonal[::-1], ("yes", "no"))).any()
    many = plots.confusion_image(np.eye(60, dtype=np.int64), [str(one) for one in range(60)])
    assert max(many.shape) < 1500
