"""Generated corpora on disk: the manifest, and files that are replaced together."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from spinn import __version__
from spinn.generators.writing import write_generated
from spinn.support.errors import DataError


def test_the_manifest_says_how_to_make_the_files_again(tmp_path: Path) -> None:
    write_generated(tmp_path / "made", "listops", 3, {"train": 2}, {"train.tsv": "1\t1\n2\t2\n"})
    assert (tmp_path / "made" / "train.tsv").read_bytes() == b"1\t1\n2\t2\n"
    assert json.loads((tmp_path / "made" / "manifest.json").read_text()) == {
        "corpus": "listops",
        "seed": 3,
        "settings": {"train": 2},
        "version": __version__,
        "files": {"train.tsv": {"lines": 2, "sha256": hashlib.sha256(b"1\t1\n2\t2\n").hexdigest()}},
    }


def test_a_full_disk_leaves_all_files_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_generated(tmp_path, "logic", 1, {}, {"train0": "before\n", "test0": "before\n"})
    manifest = (tmp_path / "manifest.json").read_text()
    write_bytes = Path.write_bytes

    def fail_at_the_last(path: Path, content: bytes) -> int:
        if path.name.startswith("test0"):
            raise OSError(28, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail_at_the_last)
    with pytest.raises(DataError, match=r"cannot be written \(No space left"):
        write_generated(tmp_path, "logic", 2, {}, {"train0": "after\n", "test0": "after\n"})
    assert sorted(os.listdir(tmp_path)) == ["manifest.json", "test0", "train0"]
    assert (tmp_path / "train0").read_text() == (tmp_path / "test0").read_text() == "before\n"
    assert (tmp_path / "manifest.json").read_text() == manifest


def test_a_file_in_the_place_of_the_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="Choose another directory"):
        write_generated(tmp_path / "file", "logic", 1, {}, {"train0": "=\ta\ta\n"})


def test_an_empty_set_has_no_file(tmp_path: Path) -> None:
    write_generated(tmp_path, "listops", 1, {}, {"train.tsv": "a\n", "test.tsv": "b\n"})
    write_generated(tmp_path, "listops", 1, {}, {"train.tsv": "a\n", "test.tsv": ""})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "train.tsv"]
    assert list(json.loads((tmp_path / "manifest.json").read_text())["files"]) == ["train.tsv"]


def test_files_of_something_else_are_kept(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("of mine")
    with pytest.raises(DataError, match=r"train\.tsv: it would be overwritten"):
        write_generated(tmp_path, "listops", 1, {}, {"train.tsv": "1\t1\n"})
    assert os.listdir(tmp_path) == ["train.tsv"]
    write_generated(tmp_path / "made", "listops", 1, {}, {"train.tsv": "1\t1\n"})
    with pytest.raises(DataError, match=r"manifest\.json: it would be overwritten"):
        write_generated(tmp_path / "made", "logic", 1, {}, {"train0": "=\ta\ta\n"})
