"""What a file format declares, and what it makes of a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spinn.data.examples import PAIR, Example, ExampleKind, Sentence
from spinn.data.formats.columns import Naming
from spinn.data.labels import UNLABELLED
from spinn.support.errors import ConfigurationError
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
    language: str = ""


SAMPLE = 50  # lines or rows that a format and its columns are recognised by
NumberedLine = tuple[int, bytes]
NumberedRow = tuple[int, Row]
ReadLine = Callable[[Path, int, bytes], Row | None]
ReadRows = Callable[[Path, Iterator[NumberedLine], Naming], Iterator[NumberedRow]]


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
        row, or ``None`` for a header. ``None`` for a format with ``read_rows``.
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
    read_rows
        Function that replaces ``read_line`` where rows depend on each other or on the user's
        naming: of the path, the non-blank lines with their numbers and the naming. It yields the
        rows with the numbers of their lines.
    is_binary
        Whether files are not text. They are recognised by their extension, and ``read_rows`` gets
        no lines.

    """

    name: str
    labels: tuple[str, ...] | None
    read_line: ReadLine | None
    matches: Callable[[str], bool] | None = None
    kind: ExampleKind = PAIR
    minimum_count: int = 2
    rewrite: Callable[[str], str] | None = None
    write_line: Callable[[Example], str] | None = None
    extension: str = ".txt"
    matches_sample: Callable[[Sequence[str]], bool] | None = None
    read_rows: ReadRows | None = None
    is_binary: bool = False

    def rows(
        self, path: Path, lines: Iterator[NumberedLine], naming: Naming
    ) -> Iterator[NumberedRow]:
        """Return the rows of a file with these lines, with the numbers of their lines.

        Raises
        ------
        ConfigurationError
            If the user names columns, and the format has none with names.

        """
        if self.read_rows is not None:
            return self.read_rows(path, lines, naming)
        if naming.columns:
            raise ConfigurationError(
                f"--columns does nothing with --format {self.name}; it belongs to tables with a "
                "header, JSON lines and Parquet."
            )
        return self._by_line(path, lines)

    def _by_line(self, path: Path, lines: Iterator[NumberedLine]) -> Iterator[NumberedRow]:
        assert self.read_line is not None
        for number, line in lines:
            row = self.read_line(path, number, line)
            if row is not None:
                yield number, row


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
