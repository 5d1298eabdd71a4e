"""Corpus files to examples, for any format.

This is the first step of the data pipeline. :func:`read_examples` does what all formats have in
common: it skips rows without a gold label, checks labels, turns trees into words and transitions,
tokenises sentences without a tree, and raises :class:`DataError` for whatever cannot be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spinn.data.examples import Example, ExampleKind
from spinn.data.formats import FORMATS, Format, Naming, NumberedRow, open_rows
from spinn.data.formats.columns import NO_NAMING
from spinn.data.labels import read_label, unlisted_label
from spinn.data.lines import NEEDS_EXAMPLES
from spinn.data.sentences import SentenceReader
from spinn.data.shards import Shard
from spinn.support.errors import ConfigurationError, DataError

_NO_PARSE_NEEDED = "Choose trees that need no parse, such as --trees balanced"


@dataclass
class ReadCounts:
    """Numbers of rows of a file, or of several files."""

    read: int = 0
    """Examples yielded."""
    unlabelled: int = 0
    """Rows without a gold label, skipped or not."""
    unparsed: int = 0
    """Examples with a sentence without a tree; included in ``read``."""
    languages: Counter[str] = field(default_factory=Counter)
    """Examples by language, if a column names it; included in ``read``."""

    @property
    def language_note(self) -> str:
        """A message with the number of examples of each language, if there are several."""
        if len(self.languages) < 2:
            return ""
        counted = ", ".join(f"{name} {count:,}" for name, count in sorted(self.languages.items()))
        return f"in {len(self.languages)} languages ({counted})"


def read_examples(
    path: str | Path,
    format: str = "auto",
    *,
    use_parses: bool = True,
    labels: Collection[str] | None = None,
    kind: ExampleKind | None = None,
    counts: ReadCounts | None = None,
    unlabelled: bool = False,
    naming: Naming = NO_NAMING,
    shard: Shard | None = None,
) -> Iterator[Example]:
    """Yield the examples of a corpus file, plain or compressed.

    Blank lines are skipped. Consecutive examples with the same premise share one ``Sentence``.

    Parameters
    ----------
    path
        The file.
    format
        A name in ``FORMATS``, or ``auto`` to detect it from the first line.
    use_parses
        If false, only the words of trees are read: ``transitions`` is ``None``, and trees need not
        be binary.
    labels
        Allowed labels, in place of those of the format.
    kind
        Required kind of example; any kind by default.
    counts
        Updated while reading.
    unlabelled
        If true, rows without a gold label (``-``, ``-1``, ``hidden`` or empty) are yielded with
        the label ``None``, which is ``NO_LABEL`` in a data set, instead of skipped.
    naming
        Names of columns and of numbered labels, where they are not known.
    shard
        The part of the file that is read; all of it by default.

    Raises
    ------
    ConfigurationError
        If there is no such format, or the user names columns that it has not.
    DataError
        During iteration, at the first line that cannot be read. A missing tree is not an error
        here; see :func:`no_parse`.

    """
    if format != "auto":
        FORMATS.find(format)
    counts = ReadCounts() if counts is None else counts
    return _read(Path(path), format, use_parses, labels, kind, counts, unlabelled, naming, shard)


def _read(
    path: Path,
    name: str,
    use_parses: bool,
    labels: Collection[str] | None,
    kind: ExampleKind | None,
    counts: ReadCounts,
    unlabelled: bool,
    naming: Naming,
    shard: Shard | None,
) -> Iterator[Example]:
    format, rows = open_rows(path, name, naming)
    if shard is not None:
        rows = shard.rows(path, lambda: open_rows(path, name, naming)[1])
    if kind is not None:
        check_kind(path, format, kind)
    _check_label_names(naming, labels or format.labels or ())
    yield from examples_of(rows, path, format, use_parses, labels, counts, unlabelled)


def _check_label_names(naming: Naming, labels: Collection[str]) -> None:
    """Raise :class:`ConfigurationError` if none of the user's names of labels is one of these."""
    names = naming.label_names
    if names and labels and not any(read_label(name, labels) in labels for name in names):
        raise ConfigurationError(
            f"--label-names {','.join(names)} names none of the labels, {', '.join(labels)}; "
            "correct it, or leave it out."
        )


def examples_of(
    rows: Iterable[NumberedRow],
    path: Path,
    format: Format,
    use_parses: bool,
    labels: Collection[str] | None,
    counts: ReadCounts,
    unlabelled: bool,
) -> Iterator[Example]:
    """Yield the examples of rows; see :func:`read_examples`, the path is for errors."""
    listed = labels or format.labels or ()
    allowed = frozenset(listed)
    sentences = SentenceReader(path, use_parses, format)
    read_before, unlabelled_before = counts.read, counts.unlabelled
    for number, row in rows:
        label = read_label(row.label, allowed)
        if label is None:
            counts.unlabelled += 1
            if not unlabelled:
                continue
        elif allowed and label not in allowed:
            raise unlisted_label(path, number, label, listed, format.name)
        premise = sentences.premise(row.premise, number)
        hypothesis = None
        if row.hypothesis is not None:
            hypothesis = sentences.hypothesis(row.hypothesis, number)
        sources = (row.premise, row.hypothesis)
        counts.unparsed += any(one is not None and one.brackets is None for one in sources)
        counts.read += 1
        if row.language:
            counts.languages[row.language] += 1
        yield Example(premise, hypothesis, label, number, row.identifier)
    if counts.read == read_before:
        skipped = counts.unlabelled - unlabelled_before
        if not skipped:
            raise DataError(path, "the file has no rows", remedy=NEEDS_EXAMPLES)
        raise DataError(
            path,
            f"all {skipped} rows are without a gold label (it is -, -1, hidden, empty, or in a "
            "column of another name)",
            remedy=f"{NEEDS_EXAMPLES}, or name the column with --columns label=NAME",
        )


def read_label_set(
    path: Path,
    format: str,
    labels: Collection[str],
    kind: ExampleKind,
    naming: Naming = NO_NAMING,
) -> set[str | None]:
    """Return the gold labels in a file, without reading its sentences.

    Parameters and errors are those of :func:`read_examples`; a missing label is ``None``.
    """
    found, rows = open_rows(path, format, naming)
    check_kind(path, found, kind)
    allowed = frozenset(labels)
    return {read_label(row.label, allowed) for _, row in rows}


def check_kind(path: str | Path, format: Format, kind: ExampleKind) -> None:
    """Raise :class:`DataError` if the examples of a format are not of the required kind."""
    if format.kind != kind:
        raise DataError(
            path,
            f"its rows are {format.kind.unit} (format {format.name}) where {kind.unit} are "
            "required",
            remedy="Give single sentences or pairs throughout, in training and after",
        )


def no_parse(path: str | Path, line: int | None) -> DataError:
    """Return the error for a sentence without a tree where trees are required."""
    return DataError(path, "a sentence has no tree", line=line, remedy=_NO_PARSE_NEEDED)
