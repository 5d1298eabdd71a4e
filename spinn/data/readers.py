"""Corpus files to examples, for any format.

This is the first step of the data pipeline. :func:`read_examples` does what all formats have in
common: it skips rows without a gold label, checks labels, turns trees into words and transitions,
tokenises sentences without a tree, and raises :class:`DataError` for whatever cannot be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from spinn.data.examples import Example, ExampleKind
from spinn.data.formats import FORMATS, Format, match_format, sample_of
from spinn.data.labels import INFERENCE_LABELS, read_label
from spinn.data.lines import NEEDS_EXAMPLES, numbered_lines
from spinn.data.sentences import SentenceReader
from spinn.support.errors import DataError

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


def read_examples(
    path: str | Path,
    format: str = "auto",
    *,
    use_parses: bool = True,
    labels: Collection[str] | None = None,
    kind: ExampleKind | None = None,
    counts: ReadCounts | None = None,
    unlabelled: bool = False,
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

    Raises
    ------
    ConfigurationError
        If there is no such format.
    DataError
        During iteration, at the first line that cannot be read. A missing tree is not an error
        here; see :func:`no_parse`.

    """
    if format != "auto":
        FORMATS.find(format)
    counts = ReadCounts() if counts is None else counts
    return _read(Path(path), format, use_parses, labels, kind, counts, unlabelled)


def _read(
    path: Path,
    name: str,
    use_parses: bool,
    labels: Collection[str] | None,
    kind: ExampleKind | None,
    counts: ReadCounts,
    unlabelled: bool,
) -> Iterator[Example]:
    lines = numbered_lines(path)
    sample = sample_of(path, lines)
    format = match_format(sample) if name == "auto" else FORMATS[name]
    if kind is not None:
        check_kind(path, format, kind)
    allowed = frozenset(labels or format.labels or ())
    sentences = SentenceReader(path, use_parses, format)
    read_before, unlabelled_before = counts.read, counts.unlabelled
    read_line = format.reader(path, sample)
    for number, line in chain(sample, lines):
        row = read_line(path, number, line)
        if row is None:
            continue
        label = read_label(row.label, allowed)
        if label is None:
            counts.unlabelled += 1
            if not unlabelled:
                continue
        elif allowed and label not in allowed:
            raise _unlisted_label(path, number, label, format, labels or format.labels or ())
        premise = sentences.premise(row.premise, number)
        hypothesis = None
        if row.hypothesis is not None:
            hypothesis = sentences.hypothesis(row.hypothesis, number)
        sources = (row.premise, row.hypothesis)
        counts.unparsed += any(one is not None and one.brackets is None for one in sources)
        counts.read += 1
        yield Example(premise, hypothesis, label, number, row.identifier)
    if counts.read == read_before:
        skipped = counts.unlabelled - unlabelled_before
        cause = (
            f"all {skipped} rows are without a gold label (their label is -, -1, hidden or empty)"
            if skipped
            else "the file has no rows"
        )
        raise DataError(path, cause, remedy=NEEDS_EXAMPLES)


def read_label_set(
    path: Path, format: str, labels: Collection[str], kind: ExampleKind
) -> set[str | None]:
    """Return the gold labels in a file, without reading its sentences.

    Parameters and errors are those of :func:`read_examples`; ``None`` stands for a missing label.
    """
    lines = numbered_lines(path)
    sample = sample_of(path, lines)
    found = match_format(sample) if format == "auto" else FORMATS.find(format)
    check_kind(path, found, kind)
    read_line, allowed = found.reader(path, sample), frozenset(labels)
    rows = (read_line(path, number, line) for number, line in chain(sample, lines))
    return {read_label(row.label, allowed) for row in rows if row is not None}


def check_kind(path: str | Path, format: Format, kind: ExampleKind) -> None:
    """Raise :class:`DataError` if the examples of a format are not of the required kind."""
    if format.kind != kind:
        raise DataError(
            path,
            f"its rows are {format.kind.unit} (format {format.name}) where {kind.unit} are "
            "required",
            remedy="Give single sentences or pairs throughout, in training and after",
        )


def _unlisted_label(
    path: Path, line: int, label: str, format: Format, allowed: Collection[str]
) -> DataError:
    """Return the error for a label that is not allowed."""
    remedy = f"Correct the label, or name another format than {format.name}"
    if label.isdigit() and set(INFERENCE_LABELS).issubset(allowed):
        numbered = "0 entailment, 1 neutral and 2 contradiction"
        remedy = f"Write the label as a word (SNLI, MultiNLI and ANLI of HuggingFace: {numbered})"
    return DataError(
        path,
        f"the label {label!r} is not one of: {', '.join(allowed)}",
        line=line,
        remedy=remedy,
    )


def read_files(
    paths: Sequence[Path],
    format: str,
    labels: tuple[str, ...],
    kind: ExampleKind,
    *,
    counts: ReadCounts | None = None,
    unlabelled: bool = False,
) -> tuple[list[Example], list[Path]]:
    """Return the examples of files and the file of each; see :func:`read_examples`."""
    examples: list[Example] = []
    places: list[Path] = []
    for path in paths:
        examples += read_examples(
            path, format, labels=labels, kind=kind, counts=counts, unlabelled=unlabelled
        )
        places += [path] * (len(examples) - len(places))
    return examples, places


def check_parses(examples: list[Example], places: list[Path]) -> None:
    """Raise :class:`DataError` at the first example without a tree."""
    for example, path in zip(examples, places, strict=True):
        if not example.is_parsed:
            raise no_parse(path, example.line)


def no_parse(path: str | Path, line: int | None) -> DataError:
    """Return the error for a sentence without a tree where trees are required."""
    return DataError(path, "a sentence has no tree", line=line, remedy=_NO_PARSE_NEEDED)
