"""Where the data folder and the bundled corpus are, in a clone and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinn.data import places
from spinn.data.find import find_files
from spinn.data.options import CorpusOptions
from spinn.data.places import bundled_corpus, data_directory

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a package that was installed without a clone."""
    package = tmp_path / "site-packages" / "spinn"
    (package / "bundled").mkdir(parents=True)
    (package / "bundled" / "train.jsonl").touch()
    monkeypatch.setattr(places, "_PACKAGE", package)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)
    return package


def test_in_a_clone_data_are_here_or_in_the_clone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data_directory(CorpusOptions()) == ROOT / "data"
    assert data_directory(CorpusOptions(data_directory="other")) == Path("other")
    (tmp_path / "data").mkdir()
    assert data_directory(CorpusOptions()) == Path("data")
    assert bundled_corpus() == ROOT / "data" / "sample"


def test_data_are_never_beside_an_installed_package(installed, tmp_path):
    assert tmp_path / "site-packages" not in data_directory(CorpusOptions()).parents
    assert data_directory(CorpusOptions()).name == "spinn"
    assert data_directory(CorpusOptions(data_directory="other")) == Path("other")
    (tmp_path / "data").mkdir()
    assert data_directory(CorpusOptions()) == Path("data")


def test_an_installed_package_has_the_bundled_corpus(installed, tmp_path):
    options = CorpusOptions(data="sample")
    assert find_files(options, tmp_path) == {"train": [installed / "bundled" / "train.jsonl"]}
    own = tmp_path / "sample" / "train.jsonl"
    own.parent.mkdir()
    own.touch()
    assert find_files(options, tmp_path) == {"train": [own]}


def test_the_corpus_is_packed_into_the_package():
    described = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '\n"data/sample" = "spinn/bundled"' in described
