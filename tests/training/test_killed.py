"""Training that is killed again and again ends as if it had not been; see :mod:`kill`."""

from __future__ import annotations

from pathlib import Path

from kill import kill_and_resume


def test_runs_killed_at_random_moments_come_to_the_same_end(tmp_path: Path) -> None:
    assert kill_and_resume(tmp_path, kills=20, seed=1) > 0
