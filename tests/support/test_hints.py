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
