"""What a file format declares, and what it makes of a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spinn.data.examples import PAIR, Example, ExampleKind, Sentence
from spinn.transitions import to_brackets


class Source(NamedTuple):
    """A sentence as the file has it: raw text, a bracketed tree, or both."""

    text: str | None
    brackets: str | None


class Row(NamedTuple):
    """One line of a corpus file, not yet checked; a single sentence has no hypothesis."""

    label: str
    premise: Source
    hypothesis: Source | None
    identifier: str = ""


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    name
        Name of the format, as ``--format`` takes it.
    labels
        The labels it allows; ``None`` if a file may have any.
    read_line
        Function of the path, the number of a line (both for errors) and the line. It returns the
        row, or ``None`` for a header.
    matches
        Function of the first non-blank line, stripped, that returns whether a file has this format;
        ``None`` if the format cannot be detected and has to be named.
    kind
        Kind of its examples.
    minimum_count
        Default number of occurrences in training for a word to be in the vocabulary. Text has rare
        words on which the unknown word is trained; a formal language has not.
    rewrite
        Function that replaces each bracketed tree before it is read, if any.
    write_line
        Function that returns a labelled example with its trees as a line, without the line break,
        that ``read_line`` reads back; ``None`` for a format that is read alone.
    extension
        Extension of a file in this format.

    """

    name: str
    labels: tuple[str, ...] | None
    read_line: Callable[[Path, int, bytes], Row | None]
    matches: Callable[[str], bool] | None = None
    kind: ExampleKind = PAIR
    minimum_count: int = 2
    rewrite: Callable[[str], str] | None = None
    write_line: Callable[[Example], str] | None = None
    extension: str = ".txt"


def bracketed(sentence: Sentence) -> str:
    """Return a sentence as a bracketed tree, or its words if it has none."""
    words, transitions = sentence
    return " ".join(words) if transitions is None else to_brackets(words, transitions)


def write_cells(example: Example) -> str:
    """Return tab-separated label and trees."""
    return "\t".join([example.label or "-", *map(bracketed, example.sentences)])


def is_tree(cell: str) -> bool:
    """Return whether a cell looks like a bracketed tree of two words or more."""
    return cell.startswith("( ")
