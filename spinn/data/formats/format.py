"""What a file format declares, and what it makes of a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spinn.data.examples import PAIR, Example, ExampleKind, Sentence
from spinn.data.labels import UNLABELLED
from spinn.transitions import TreeError, from_brackets, to_brackets


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


NumberedLine = tuple[int, bytes]
ReadLine = Callable[[Path, int, bytes], Row | None]


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
    matches_sample
        Function of the first non-blank lines, stripped, that must be true too, if given.
    for_file
        Function of the path and of the first non-blank lines with their numbers that returns the
        ``read_line`` of a file, if it depends on them.

    """

    name: str
    labels: tuple[str, ...] | None
    read_line: ReadLine
    matches: Callable[[str], bool] | None = None
    kind: ExampleKind = PAIR
    minimum_count: int = 2
    rewrite: Callable[[str], str] | None = None
    write_line: Callable[[Example], str] | None = None
    extension: str = ".txt"
    matches_sample: Callable[[Sequence[str]], bool] | None = None
    for_file: Callable[[Path, Sequence[NumberedLine]], ReadLine] | None = None

    def reader(self, path: Path, sample: Sequence[NumberedLine]) -> ReadLine:
        """Return the function that reads the lines of a file with these first lines."""
        return self.read_line if self.for_file is None else self.for_file(path, sample)


def bracketed(sentence: Sentence) -> str:
    """Return a sentence as a bracketed tree, or its words if it has none."""
    words, transitions = sentence
    return " ".join(words) if transitions is None else to_brackets(words, transitions)


def write_cells(example: Example) -> str:
    """Return tab-separated label and trees."""
    return "\t".join([example.label or UNLABELLED, *map(bracketed, example.sentences)])


def is_tree(cell: str) -> bool:
    """Return whether a cell looks like a bracketed tree of two words or more."""
    return cell.startswith("( ")


def are_trees(cells: Sequence[str]) -> bool:
    """Return whether sentences are bracketed trees, some of which may be damaged, not text.

    Each of them has to look like a tree or be a single word, and most of the former have to be
    trees. Text may begin with a bracket, as transcribed speech does: ``( laughter ) That is true.``
    """
    bracketed = [cell for cell in cells if is_tree(cell)]
    if not bracketed or any(not is_tree(cell) and len(cell.split()) > 1 for cell in cells):
        return False
    return 2 * sum(map(_is_binary, bracketed)) > len(bracketed)


def _is_binary(cell: str) -> bool:
    try:
        from_brackets(cell)
    except TreeError:
        return False
    return True
