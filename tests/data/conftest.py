"""Options of small corpora."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpora import DEV, GLOVE, LISTOPS, TRAIN, write

from spinn.data.options import CorpusOptions


@pytest.fixture
def options(tmp_path: Path) -> CorpusOptions:
    """Give options for a folder with a training and a development set."""
    write(tmp_path / "corpus/train.jsonl", TRAIN)
    write(tmp_path / "corpus/dev.jsonl", DEV)
    write(tmp_path / "vectors.txt", GLOVE)
    return CorpusOptions(data=str(tmp_path / "corpus"), data_directory=str(tmp_path / "data"))


@pytest.fixture
def listops(tmp_path: Path) -> CorpusOptions:
    """Give options for a folder of single sentences."""
    write(tmp_path / "ops/train_d20s.tsv", LISTOPS)
    write(tmp_path / "ops/dev.tsv.gz", "1\t( ( ( [FIRST 8 ) 7 ) ] )\n")
    return CorpusOptions(data=str(tmp_path / "ops"), data_directory=str(tmp_path / "data"))
