"""Sequences of fragments from files: parsed sentences, labelled brackets, Python programs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinn.data import jsonlines
from spinn.data.fragments.brackets import read_brackets
from spinn.data.fragments.python import python_trees
from spinn.data.fragments.tree import Fragment, fragments_of
from spinn.data.lines import decode, numbered_lines, unreadable
from spinn.support.errors import ConfigurationError, DataError
from spinn.transitions import TreeError

logger = logging.getLogger(__name__)

PREMISE, HYPOTHESIS = "sentence1_parse", "sentence2_parse"
_PYTHON = ".py"

Sequences = list[list[Fragment]]
"""The fragments of each tree, in pre-order."""


def read_sequences(paths: Sequence[Path], *, repeats: bool = False) -> Sequences:
    """Return the trees of files as sequences of fragments.

    A file is a Python program (``*.py``), JSON lines with the labelled parses of SNLI, or labelled
    brackets, one tree a line; the last two may be compressed. Each statement of a program is a
    tree. Of a folder, all Python programs are read.

    Parameters
    ----------
    paths
        Files and folders.
    repeats
        Whether a premise that occurs again is read again; SNLI has each premise three times.

    Raises
    ------
    DataError
        If a file cannot be read or has no trees.

    """
    sequences: Sequences = []
    for path in paths:
        before = len(sequences)
        if path.is_dir():
            sequences += _read_folder(path)
        elif path.suffix == _PYTHON:
            sequences += _read_program(path)
        else:
            sequences += _read_lines(path, repeats)
        if len(sequences) == before:
            raise DataError(path, "it has no trees", remedy="Name a file with trees or statements")
    return sequences


def is_python(paths: Sequence[Path]) -> bool:
    """Return whether files are Python programs.

    Raises
    ------
    ConfigurationError
        If some are, and some are not.

    """
    kinds = {path.is_dir() or path.suffix == _PYTHON for path in paths}
    if len(kinds) > 1:
        raise ConfigurationError("Trees of sentences and of Python programs cannot be mixed.")
    return True in kinds


def split_sequences(
    sequences: Sequences, seed: int, share: float = 0.1
) -> tuple[Sequences, Sequences]:
    """Split trees at random into a training part and a held-out part; equal trees stay together.

    Parameters
    ----------
    sequences
        The fragments of each tree.
    seed
        The same seed gives the same parts.
    share
        The share of the distinct trees that is held out, at least one.

    Raises
    ------
    ConfigurationError
        If there are fewer than two distinct trees.

    """
    groups: dict[tuple[Fragment, ...], int] = {}
    group = [groups.setdefault(tuple(sequence), len(groups)) for sequence in sequences]
    if len(groups) < 2:
        raise ConfigurationError("There are fewer than two different trees; give more of them.")
    held_out = np.zeros(len(groups), dtype=bool)
    count = min(max(1, round(share * len(groups))), len(groups) - 1)
    held_out[np.random.default_rng(seed).permutation(len(groups))[:count]] = True
    return (
        [one for one, number in zip(sequences, group, strict=True) if not held_out[number]],
        [one for one, number in zip(sequences, group, strict=True) if held_out[number]],
    )


def _read_lines(path: Path, repeats: bool) -> Iterator[list[Fragment]]:
    """Yield the trees of a file with one row a line."""
    premises: set[str] = set()
    for number, line in numbered_lines(path):
        if not line.startswith(b"{"):
            yield _bracketed(path, number, decode(path, number, line))
            continue
        row = _row(path, number, line)
        for name in (PREMISE, HYPOTHESIS):
            text = row.get(name)
            if not isinstance(text, str):
                raise DataError(
                    path,
                    f"there is no text under {name!r}",
                    line=number,
                    remedy="Choose a corpus with labelled parses, as SNLI has them",
                )
            if name == PREMISE and not repeats:
                if text in premises:
                    continue
                premises.add(text)
            yield _bracketed(path, number, text)


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = jsonlines.loads(line)
    except ValueError as error:
        decode(path, number, line)  # raises a clearer error if the encoding is the cause
        raise DataError(
            path, f"the line is not JSON ({error})", line=number, remedy="Copy the file again"
        ) from error
    assert isinstance(row, dict)
    return row


def _bracketed(path: Path, number: int, text: str) -> list[Fragment]:
    try:
        return fragments_of(read_brackets(text))
    except TreeError as error:
        raise DataError(path, str(error), line=number, remedy="Correct the brackets") from error


def _read_program(path: Path) -> Sequences:
    try:
        return [fragments_of(tree) for tree in python_trees(path.read_bytes())]
    except OSError as error:
        raise unreadable(path, error) from error
    except TreeError as error:
        raise DataError(path, str(error), remedy="Correct the program, or leave it out") from error


def _read_folder(folder: Path) -> Sequences:
    """Return the trees of all programs below a folder, without those that cannot be read."""
    sequences: Sequences = []
    paths = sorted(path for path in folder.rglob(f"*{_PYTHON}") if path.is_file())
    left_out: list[DataError] = []
    for path in paths:
        try:
            sequences += _read_program(path)
        except DataError as error:
            left_out.append(error)
    if left_out:
        logger.warning(
            f"{folder}: left out {len(left_out):,} of {len(paths):,} programs. The first: "
            f"{left_out[0]}"
        )
    return sequences
