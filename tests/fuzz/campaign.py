"""Many seeds in a row, in a process that is started again whenever it dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

from .verdict import Verdict
from .worker import LAST_WORDS, WALL_SECONDS, serve

_INPUTS_OF_A_PROCESS = 20_000


@dataclass(frozen=True)
class Judged:
    """A seed with its kind of input, the command and the verdict."""

    seed: int
    kind: str
    arguments: list[str]
    verdict: Verdict

    @property
    def line(self) -> str:
        """One line of text."""
        shown = f"{self.verdict.outcome}, {self.verdict.cause}".replace("\n", " ")
        return f"{self.kind}: {shown[:400]}, seed {self.seed}"


class Judge:
    """Judge seeds in another process.

    Parameters
    ----------
    root
        The working folder.

    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process: BaseProcess | None = None
        self._connection: Connection
        self._done = 0

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop()

    def __call__(self, seed: int) -> Judged:
        """Judge a seed.

        Raises
        ------
        RuntimeError
            If this program itself fails.

        """
        from .mutation import kind_of

        if self._process is None or self._done >= _INPUTS_OF_A_PROCESS:
            self._stop()
            self._start()
        self._done += 1
        self._connection.send(seed)
        answer = self._answer(2 * WALL_SECONDS)
        if isinstance(answer, str):
            raise RuntimeError(f"seed {seed}: {answer}")
        if answer is None:
            arguments: list[str] = []
            verdict = self._death()
        else:
            arguments, verdict = answer
        return Judged(seed, kind_of(seed), arguments, verdict)

    def _death(self) -> Verdict:
        """Return the verdict on an input that ended the process, or made it hang."""
        assert self._process is not None
        words = (self.root / LAST_WORDS).read_text(encoding="utf-8", errors="replace")
        cause = f"exit code {self._process.exitcode} {words[:300]!r}"
        self._stop()
        return Verdict("the process died", cause, words)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, str(self.root)), daemon=True)
        self._process.start()
        other.close()
        self._done = 0
        if self._answer(10 * WALL_SECONDS) != "ready":
            raise RuntimeError("the process that judges inputs did not start")

    def _answer(self, seconds: float) -> Any:
        """Receive an answer; return ``None`` if the process has died or does not answer."""
        try:
            if self._connection.poll(seconds):
                return self._connection.recv()
        except (EOFError, OSError):
            pass
        assert self._process is not None
        self._process.join(1)
        return None

    def _stop(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
        self._connection.close()
        self._process = None


def judge_all(seeds: Iterable[int], root: Path, failures: Path | None = None) -> Iterator[Judged]:
    """Yield the verdict on each seed; keep the inputs of failures in a folder, if one is given."""
    with Judge(root) as judge:
        for seed in seeds:
            judged = judge(seed)
            if judged.verdict.failed and failures is not None:
                _keep(judged, root, failures / f"seed-{seed}")
            yield judged


def _keep(judged: Judged, root: Path, folder: Path) -> None:
    """Copy the input of a failure, with the command and what happened."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(shutil.Error):  # a link to nothing cannot be copied otherwise
        shutil.copytree(root / "work", folder, symlinks=True)
    folder.mkdir(parents=True, exist_ok=True)
    command = " ".join(repr(part[:500]) for part in judged.arguments)
    text = f"{judged.line}\n\nspinn {command}\n\n{judged.verdict.details}"
    (folder / "failure.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
