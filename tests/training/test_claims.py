"""The lock and the name of the folder of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinn.support.errors import SpinnError
from spinn.training.claims import claimed, is_claimed, new_folder


def test_a_folder_is_trained_by_one_process_at_a_time(tmp_path):
    run = tmp_path / "deep" / "run"
    with claimed(run):
        assert is_claimed(run)
        with (
            pytest.raises(SpinnError, match="run: another process is training this run"),
            claimed(run),
        ):
            pytest.fail("it was claimed twice")
        (run / "config.json").write_text("{}")
    assert not is_claimed(run)
    with claimed(run):
        assert is_claimed(run)


def test_folders_in_which_nothing_was_written_are_removed(tmp_path):
    (tmp_path / "mine").mkdir()
    with claimed(tmp_path / "mine" / "deep" / "run"):
        pass
    assert not is_claimed(tmp_path / "mine" / "deep" / "run")
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SpinnError, match="file/run: the run cannot be written there"),
        claimed(tmp_path / "file" / "run"),
    ):
        pytest.fail("it was claimed")


def test_a_new_folder_has_a_name_that_is_not_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("spinn-seed1", "spinn-seed1-2", "spinn-seed1-3"):
        assert new_folder("spinn", 1) == Path("runs", name)
        new_folder("spinn", 1).mkdir(parents=True)
