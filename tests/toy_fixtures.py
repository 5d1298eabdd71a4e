"""Fixtures of the tests of learning and training: toy corpora, and sums that repeat.

Pytest reads this file before ``--device`` is known, so modules that know the device are imported
later.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_order() -> Iterator[None]:
    """Let a GPU add up in one order, as far as it can, so that a run can be held against another.

    Optimisers would magnify differences in the last bit of a gradient that is nothing else.
    """
    from machine import EXACT

    torch.use_deterministic_algorithms(not EXACT, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the corpus once, for all to read."""
    from toys import write_corpus

    return write_corpus(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def toy_expressions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the corpus of single sentences once."""
    from toys import write_expressions

    return write_expressions(tmp_path_factory.mktemp("expressions"))


@pytest.fixture(params=["pairs", "single sentences"])
def toy_either(request: pytest.FixtureRequest, toy_folder: Path, toy_expressions: Path) -> Path:
    """Give either corpus in turn."""
    return toy_folder if request.param == "pairs" else toy_expressions
