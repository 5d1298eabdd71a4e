"""Fixtures of the tests of studies."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small corpus once for all tests."""
    from toys import write_corpus  # once ``--device`` is known

    return write_corpus(tmp_path_factory.mktemp("toy"), train=24, held_out=10)
