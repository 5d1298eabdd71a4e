"""The verdict on one input: the command is called in this process, and what it does is judged."""

from __future__ import annotations

import io
import re
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType, TracebackType

from spinn.commands.main import main

from .mutation import Mutation

SECONDS = 15  # of processor time for one input; a sentence of 8,000 words needs half of it
LONGEST_MESSAGE = 1_000


class Hang(BaseException):
    """The processor time of an input is over."""


@dataclass(frozen=True)
class Verdict:
    """What became of an input.

    Attributes
    ----------
    outcome
        ``accepted``, ``refused``, or what is wrong: ``message``, ``status``, ``wrong result``,
        ``refused, but must not matter``, ``hang`` or the name of an exception.
    cause
        Where or what it is, for a group of alike failures.
    details
        The traceback or what was printed.

    """

    outcome: str
    cause: str = ""
    details: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is a fault of the program."""
        return self.outcome not in ("accepted", "refused")


def judge(mutation: Mutation) -> Verdict:
    """Call the command of a mutation."""
    with _streams(mutation.stdin) as (printed, complained):
        try:
            with _limited():
                status = main(mutation.arguments)
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
        except BaseException as error:  # whatever escapes is the finding
            outcome = "hang" if isinstance(error, Hang) else type(error).__name__
            return Verdict(outcome, _place(error), _shown(error))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    out, err = printed.getvalue().decode(), complained.getvalue().decode()
    if status == 2:
        if mutation.command.must_succeed:
            return Verdict("refused, but must not matter", _message(err)[:200], err)
        problem = _problem(_message(err))
        return Verdict("message", problem, err) if problem else Verdict("refused", "", err)
    if status != 0:
        return Verdict("status", str(status), err)
    try:
        with _limited():
            mutation.command.check(out)
    except BaseException as error:
        return Verdict("wrong result", str(error)[:200] or _place(error), _shown(error))
    return Verdict("accepted")


def _message(err: str) -> str:
    """Return what is printed from the complaint on; nothing if there is none."""
    found = re.search(r"^spinn( \w+)?: ", err, re.MULTILINE)
    return err[found.start() :] if found else ""


def _problem(message: str) -> str:
    """Return what is wrong with a message; nothing if it is one printable line."""
    text = message.removesuffix("\n")
    if not text:
        return "no message"
    ends = text.endswith(".") or re.search(r" with: .+$", text)  # a command comes last
    if not ends and not re.match("spinn( [a-z]+)?: error: ", text):
        return f"no full stop: {text[-80:]!r}"
    if len(text) > LONGEST_MESSAGE:
        return f"{len(text) // 1000} thousand characters: {text[:150]!r}"
    if "\n" in text:
        return f"several lines: {text[:200]!r}"
    return "" if text.isprintable() else f"control characters: {text[:150]!r}"


def _frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(trace))


def _place(error: BaseException) -> str:
    """Return the innermost line of the package, and the error."""
    lines = [
        f"spinn/{frame.filename.rpartition('/spinn/')[2]}:{frame.lineno}"
        for frame in _frames(error.__traceback__)
        if "/spinn/" in frame.filename and "site-packages" not in frame.filename
    ]
    return f"{lines[-1] if lines else '?'} {str(error)[:150]!r}"


def _shown(error: BaseException) -> str:
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return "".join(line[:2_000] for line in lines)[-20_000:]


@contextmanager
def _streams(stdin: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Replace the standard streams by strict UTF-8 ones, as a terminal has them."""
    before = sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8")
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", errors="backslashreplace")
    replaced = sys.stdout, sys.stderr  # kept, since closing them would close the bytes
    try:
        yield out, err
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        for stream in replaced:
            if not stream.closed:
                stream.detach()


@contextmanager
def _limited() -> Iterator[None]:
    """Raise :class:`Hang` in the block when its processor time is over."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"{SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
