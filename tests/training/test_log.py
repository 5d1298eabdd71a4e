"""The reports of a run: figures as loggers receive them."""

from __future__ import annotations

from typing import Any

import pytest

from spinn.training.log import Log
from spinn.training.loggers import Figures, Logger


class Listing(Logger):
    """Keep the records."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write(self, kind: str, step: int, figures: Figures, record: dict[str, Any]) -> None:
        self.records.append(record)


@pytest.mark.parametrize(
    ("figure", "written"),
    [
        (4e-7, 4e-7),
        (-1.23456789e-8, -1.23e-8),
        (2.0253513e-4, 2.03e-4),
        (0.0, 0.0),
        (0.0123456789, 0.012346),
        (2331.1418523, 2331.141852),
    ],
)
def test_a_figure_has_six_decimals_and_a_small_one_keeps_three_digits(figure, written):
    listing = Listing()
    Log([listing]).write("train", 3, {"rate": figure}, epoch=0.5, seconds=1.234)
    expected = {"kind": "train", "epoch": 0.5, "step": 3, "rate": written, "seconds": 1.23}
    assert listing.records == [expected]
