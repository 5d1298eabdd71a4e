"""Files that are written whole or not at all."""

import os
from pathlib import Path

import pytest

from spinn.files import write_whole, written_whole


def test_a_text_is_written(tmp_path: Path) -> None:
    write_whole(tmp_path / "text", "a child née\n")
    assert (tmp_path / "text").read_bytes() == "a child née\n".encode()
    assert os.listdir(tmp_path) == ["text"]


def test_a_full_disk_leaves_the_file_before(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "text"
    write_whole(path, "before")

    def fail(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "after")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["text"]


def test_an_interruption_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "text"
    write_whole(path, "before")

    def stop_halfway() -> None:
        with written_whole(path) as scratch:
            scratch.write_text("half of what")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_halfway()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["text"]
