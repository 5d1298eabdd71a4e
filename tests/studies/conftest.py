"""What the tests of studies share: the toy corpus, smaller."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import write_corpus


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the corpus once, for all to read."""
    return write_corpus(tmp_path_factory.mktemp("toy"), train=24, held_out=10)
