"""Commands in messages, as they are pasted into a shell."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from spinn.support.hints import command, flags

RESUME = ("train", "--resume", "my run's")


@pytest.mark.skipif(os.name == "nt", reason="another shell")
def test_words_with_blanks_are_quoted():
    assert flags("--resume", Path("run")) == "--resume run"
    assert shlex.split(flags("--data", Path("my corpus"), "$x")) == ["--data", "my corpus", "$x"]


@pytest.mark.skipif(os.name == "nt", reason="another shell")
@pytest.mark.parametrize(
    ("program", "start"),
    [
        ("/usr/bin/spinn", ["spinn", "train"]),
        ("train.py", ["python", "train.py"]),
        ("my code/train.py", ["python", "my code/train.py"]),
        ("/site-packages/spinn/__main__.py", ["python", "-m", "spinn", "train"]),
        ("/usr/bin/pytest", ["spinn", "train"]),
    ],
)
def test_the_command_is_the_one_that_was_used(monkeypatch, program, start):
    monkeypatch.setattr(sys, "argv", [program])
    assert shlex.split(command(*RESUME)) == [*start, *RESUME[1:]]
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert command("download", "snli") == "spinn download snli"


@pytest.mark.skipif(os.name == "nt", reason="another shell")
@pytest.mark.parametrize(
    ("program", "start"),
    [
        ("train.py", ["train.py"]),
        ("/site-packages/spinn/__main__.py", ["-m", "spinn", "train"]),
        ("/usr/bin/spinn", ["-m", "spinn", "train"]),
    ],
)
@pytest.mark.parametrize(("machines", "where"), [(1, ["--standalone"]), (3, [])])
def test_a_run_in_several_processes_goes_on_in_as_many(
    monkeypatch, program, start, machines, where
):
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", str(2 * machines))
    torchrun = ["torchrun", *where, "--nproc-per-node", "2"]
    assert shlex.split(command(*RESUME)) == [*torchrun, *start, *RESUME[1:]]
    assert not command("predict", "run").startswith("torchrun")
