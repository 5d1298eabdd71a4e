"""The position of a run, as a checkpoint holds it."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from spinn.training.state import Progress


def test_a_position_comes_back():
    progress = Progress(step=3, epoch=1, batch=2, best=0.5, best_epoch=1, seconds=2.5)
    progress.add({"pairs": 4.0, "loss": 2.0})
    assert Progress.of_dict(asdict(progress)) == progress


def test_a_figure_is_averaged_over_the_steps_that_have_it():
    progress = Progress()
    progress.add({"pairs": 4.0, "loss": 2.0})
    progress.add({"pairs": 2.0, "loss": 1.0, "reward": -3.0})
    assert progress.averages() == {"loss": 0.5, "reward": -1.5}


@pytest.mark.parametrize(
    "damage",
    [
        {"step": "3"},
        {"step": 1.5},
        {"batch": -1},
        {"best": None},
        {"seconds": []},
        {"sums": {"loss": "1"}, "counts": {}},
        {"counts": 1},
        {"other": 1},
    ],
)
def test_a_damaged_position_is_refused(damage):
    with pytest.raises((TypeError, ValueError, LookupError, AttributeError)):
        Progress.of_dict(asdict(Progress(step=3)) | damage)
