"""What the tests of studies share: the toy corpus of the training tests, and made-up answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

from toys import write_corpus


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the corpus once, for all to read."""
    return write_corpus(tmp_path_factory.mktemp("toy"), train=24, held_out=10)
