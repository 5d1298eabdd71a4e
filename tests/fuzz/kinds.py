"""The kinds of input: what is mutated, and the commands that read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from . import acceptance
from .originals import FOLDER, sets

WORK = Path("work")
INPUT, OUTPUT = WORK / "input", WORK / "output"

Flags = tuple[str, ...]
_ON_CPU: Flags = ("--device", "cpu", "--threads", "1")
_SCORES: Flags = ("--json", f"{WORK}/scores.json", "--output", f"{WORK}/records.jsonl")
_PAIR: Flags = ("( A dog )", "( A ( tiny cat ) )", "--json")
_QUICK: Flags = (*_ON_CPU, "--epochs", "1", "--no-cache", "--no-tensorboard")


@dataclass(frozen=True)
class Command:
    """A command and the check of what it has accepted.

    Attributes
    ----------
    arguments
        Of ``spinn``; ``FILE`` is the mutated file, and ``INPUT`` its folder.
    check
        Raises :class:`AssertionError` if the results are wrong; it is given the printed text.
    weight
        How often it is chosen.
    must_succeed
        Whether the input must not matter, as that of a cache.
    stdin
        Whether the mutated file is standard input.
    never_accepted
        Whether even the original is refused, after it was read.

    """

    arguments: Flags
    check: Callable[[str], None] = acceptance.anything
    weight: int = 4
    must_succeed: bool = False
    stdin: bool = False
    never_accepted: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    folder
        The folder of the original, which is copied.
    files
        Patterns of the files that are mutated, within the folder.
    commands
        One of them is called.
    weight
        How often it is chosen.
    argument
        Whether lines of the file are given as arguments, in place of ``FILE``.

    """

    folder: str
    files: tuple[str, ...]
    commands: tuple[Command, ...]
    weight: int = 10
    argument: bool = False


def _prepare(*flags: str) -> Command:
    return Command(("prepare", str(OUTPUT), *flags), acceptance.check_prepared)


def _corpus(name: str, run: str = "", *formats: str) -> Kind:
    """Return the kind of a corpus; formats are those that it can also be read in by name."""
    held_out = sets(name)[2:]
    flags = ("--train", "FILE", *held_out, "--no-cache", "--minimum-count", "1")
    place = f"{FOLDER}/runs/{run}"
    commands = [
        _prepare(*flags),
        _prepare("--data", "INPUT", "--no-cache"),
        *(_prepare(*flags, "--format", format) for format in formats),
    ]
    if run:
        evaluate = ("evaluate", place, "--files", "FILE", *_ON_CPU, *_SCORES)
        commands.append(Command(evaluate, acceptance.check_evaluation, weight=8))
    if run == "pairs":
        parsed = ("parse", place, "FILE", "--output", str(OUTPUT), *_ON_CPU)
        commands.append(Command(parsed, acceptance.check_parsed))
    return Kind(name, ("train*",), tuple(commands))


_VECTORS: Flags = (*sets("snli"), "--vectors", "FILE", "--no-cache", "--minimum-count", "1")


def _cached(*flags: str) -> Command:
    """Return a command that reads the cache if it can, and the texts if not."""
    vectors = ("--vectors", f"{FOLDER}/vectors/vectors.txt", "--data-directory", "INPUT")
    arguments = _prepare(*sets("snli"), *vectors, "--minimum-count", "1", *flags).arguments
    return Command(arguments, acceptance.check_prepared, must_succeed=True)


_TABLE: Flags = ("ablate", "--output", str(OUTPUT), "--table-only")


def _run(name: str) -> Kind:
    pair = _PAIR if name == "pairs" else ("( [MAX 2 )", "--json")
    held_out = sets("snli" if name == "pairs" else "listops")[3]
    return Kind(
        f"runs/{name}",
        ("*.json", "checkpoints/*/*.safetensors"),
        (
            Command(("predict", "INPUT", *pair), acceptance.check_predictions, weight=8),
            Command(
                ("evaluate", "INPUT", "--files", held_out, *_ON_CPU, *_SCORES),
                acceptance.check_evaluation,
            ),
            Command(("evaluate", "INPUT", *_ON_CPU, "--checkpoint", "last")),
        ),
        weight=16,
    )


def _prepared(name: str) -> Kind:
    trained = ("train", "--data", "INPUT", "--output", str(OUTPUT), *_QUICK)
    small = ("--hidden-size", "4", "--classifier-width", "4", "--classifier-layers", "1")
    return Kind(
        f"prepared/{name}",
        ("*",),
        (
            replace(_prepare("--data", "INPUT"), weight=20),
            Command((*trained, *small), weight=1),
        ),
    )


def _stdin(name: str) -> Kind:
    predict = ("predict", f"{FOLDER}/runs/{name}", "--json")
    drawn = ("predict", f"{FOLDER}/runs/{name}")
    return Kind(
        "stdin",
        (f"{name}.txt",),
        (
            Command(predict, acceptance.check_predictions, weight=8, stdin=True),
            Command(drawn, stdin=True),
        ),
        weight=3,
    )


def _arguments(name: str) -> Kind:
    stdin = _stdin(name)
    predict = Command(("predict", f"{FOLDER}/runs/{name}", "FILE"))
    printed = Command(("predict", "--json", f"{FOLDER}/runs/{name}", "FILE"))
    return replace(stdin, commands=(predict, printed), weight=2, argument=True)


KINDS: dict[str, Kind] = {
    "snli": _corpus("snli", "pairs", "multinli"),
    "multinli": _corpus("multinli", "pairs", "multinli"),
    "sick": _corpus("sick", "pairs", "sick"),
    "logic": _corpus("logic", "", "logic-brackets"),
    "listops": _corpus("listops", "sentences", "listops"),
    "tsv": _corpus("tsv", "pairs", "tsv"),
    "vectors": Kind(
        "vectors",
        ("*",),
        (
            _prepare(*_VECTORS, "--data-directory", str(WORK / "data")),
            _prepare(*_VECTORS, "--data-directory", str(WORK / "data"), "--induce-vectors"),
        ),
        weight=16,
    ),
    "configuration": Kind(
        "configurations",
        ("*",),
        (
            Command(("train", "--print-config", "--config", "FILE"), weight=40),
            Command(("train", "--config", "FILE", "--output", str(OUTPUT), *_QUICK), weight=2),
            Command((*_TABLE, "--config", "FILE"), never_accepted=True),
        ),
        weight=24,
    ),
    "study": Kind(
        "study",
        ("*",),
        (Command((*_TABLE, "FILE"), never_accepted=True),),
    ),
    "prepared-pairs": _prepared("pairs"),
    "prepared-sentences": _prepared("sentences"),
    "prepared-vectors": _prepared("vectors"),
    "run-pairs": _run("pairs"),
    "run-sentences": _run("sentences"),
    "resume": Kind(
        "runs/pairs",
        ("*.json", "metrics.jsonl", "checkpoints/*/*"),
        (Command(("train", "--resume", "INPUT")),),
        weight=5,
    ),
    "cache": Kind("data", ("cache/*/corpus.*",), (_cached(),), weight=6),
    "cache-of-vectors": Kind("data", ("cache/vectors/*/*",), (_cached("--no-cache"),), weight=5),
    "stdin-pairs": _stdin("pairs"),
    "stdin-sentences": _stdin("sentences"),
    "arguments-pairs": _arguments("pairs"),
    "arguments-sentences": _arguments("sentences"),
}
