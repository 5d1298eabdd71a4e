"""The input of a seed: the original, copied and changed, and the command that reads it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .byte_changes import LIMIT
from .format_changes import change_content
from .kinds import INPUT, KINDS, WORK, Command, Kind
from .originals import FOLDER


@dataclass(frozen=True)
class Mutation:
    """A mutated input.

    Attributes
    ----------
    kind
        A key of ``KINDS``.
    command
        The command.
    arguments
        Its arguments, completed.
    stdin
        The bytes of standard input.

    """

    kind: str
    command: Command
    arguments: list[str]
    stdin: bytes = b""


def kind_of(seed: int) -> str:
    """Return the kind of input of a seed."""
    weights = [kind.weight for kind in KINDS.values()]
    return Random(seed).choices(list(KINDS), weights)[0]


def make_mutation(seed: int) -> Mutation:
    """Write the input of a seed to the working folder."""
    name = kind_of(seed)
    kind, random = KINDS[name], Random(seed + 1)
    command = random.choices(kind.commands, [one.weight for one in kind.commands])[0]
    _copy(kind)
    path = random.choice(_files(kind))
    content = path.read_bytes()
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        content = change_content(random, content, _other(random), path.name)[:LIMIT]
    path.write_bytes(content)
    made = _complete(name, command, path)
    if not kind.argument and not command.stdin and random.random() < 0.06:
        _change_place(random, path)
    return made


def make_original(name: str, command: Command) -> Mutation:
    """Write an input of a kind as it is before any change."""
    _copy(KINDS[name])
    return _complete(name, command, _files(KINDS[name])[0])


def _complete(name: str, command: Command, path: Path) -> Mutation:
    """Fill in the arguments of a command that reads a file."""
    content = path.read_bytes()
    given = [str(path)]
    if KINDS[name].argument:
        text = os.fsdecode(content.replace(b"\0", b"").split(b"\n")[0])
        given = text[:50_000].split("\t")[:3]
    filled: list[str] = []
    for argument in command.arguments:
        filled += given if argument == "FILE" else [argument.replace("INPUT", str(INPUT))]
    return Mutation(name, command, filled, content if command.stdin else b"")


def _copy(kind: Kind) -> None:
    """Copy the folder of an original to a working folder that has nothing else."""
    if WORK.exists():
        shutil.rmtree(WORK)
    WORK.mkdir()
    shutil.copytree(FOLDER / kind.folder, INPUT)


def _files(kind: Kind) -> list[Path]:
    """Return the files of a kind that may be changed."""
    found = (path for pattern in kind.files for path in INPUT.glob(pattern))
    return sorted(path for path in found if path.is_file())


def _other(random: Random) -> bytes:
    """Return the content of any original."""
    folders = ("snli", "sick", "listops", "tsv", "vectors", "configurations", "prepared/pairs")
    folder = FOLDER / random.choice(folders)
    return random.choice(sorted(folder.iterdir())).read_bytes()


def _change_place(random: Random, path: Path) -> None:
    """Put something else in the place of a file: nothing, a folder, a link."""
    chosen = random.choice(("missing", "folder", "loop", "dangling", "link", "unreadable"))
    if chosen == "unreadable":
        path.chmod(0)
        return
    moved = path.rename(WORK / "moved")
    if chosen == "folder":
        path.mkdir()
        (path / "file").write_text("a", encoding="utf-8")
    elif chosen == "loop":
        path.symlink_to(path.name)
    elif chosen == "dangling":
        path.symlink_to("nothing")
    elif chosen == "link":
        path.symlink_to(moved.resolve())
