"""Mutated inputs of every kind are accepted or refused in one sentence; see the package."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from .campaign import judge_all
from .kinds import KINDS
from .mutation import make_mutation, make_original
from .originals import FOLDER, write_originals
from .verdict import judge

COUNT = 2_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working folder with the originals."""
    path = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        write_originals()
    return path


@pytest.mark.parametrize("name", KINDS)
def test_each_command_accepts_what_is_not_mutated(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for command in KINDS[name].commands:
        verdict = judge(make_original(name, command))
        expected = "refused" if command.never_accepted else "accepted"
        assert verdict.outcome == expected, (command, verdict)


def test_a_seed_repeats_its_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for seed in range(40):
        first, content = make_mutation(seed), _content(Path("work"))
        assert make_mutation(seed) == first
        assert _content(Path("work")) == content


def test_mutated_inputs_are_accepted_or_refused_in_one_sentence(folder: Path) -> None:
    assert (folder / FOLDER).is_dir()  # made once, for the processes that judge, too
    folders = [folder, shutil.copytree(folder, folder.with_name(f"{folder.name}-second"))]

    def failures(part: int) -> list[str]:
        judged = judge_all(range(part, COUNT, len(folders)), folders[part])
        return [found.line for found in judged if found.verdict.failed]

    with ThreadPoolExecutor(len(folders)) as pool:
        failed = list(chain.from_iterable(pool.map(failures, range(len(folders)))))
    assert not failed, "\n".join(["repeat with python -m tests.fuzz --seed N --count 1", *failed])


def _content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): path.read_bytes() for path in files if not path.is_symlink()}
