"""Toy corpora for all tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import write_corpus, write_expressions


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the corpus once, for all to read."""
    return write_corpus(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def toy_expressions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the corpus of single sentences once."""
    return write_expressions(tmp_path_factory.mktemp("expressions"))


@pytest.fixture(params=["pairs", "single sentences"])
def toy_either(request: pytest.FixtureRequest, toy_folder: Path, toy_expressions: Path) -> Path:
    """Give either corpus in turn."""
    return toy_folder if request.param == "pairs" else toy_expressions
