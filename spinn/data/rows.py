"""Examples of rows in Python: dictionaries from any iterable, such as HuggingFace's ``datasets``.

:func:`from_rows` reads them as the rows of a file are read;
:func:`spinn.data.prepare.corpus_from_examples` makes a corpus of the result, to train on, and
:func:`spinn.data.dataset.numericalise` a data set, to evaluate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from spinn.data.examples import Example
from spinn.data.formats.columns import Columns, Naming, named_columns
from spinn.data.formats.fields import name_labels, names_of, read_fields
from spinn.data.formats.format import SAMPLE, NumberedRow, Row
from spinn.data.formats.snli import JSON_LINES
from spinn.data.readers import ReadCounts, examples_of
from spinn.data.text import check_unicode
from spinn.support.errors import DataError


def from_rows(
    rows: Iterable[Mapping[str, Any]],
    *,
    columns: Mapping[str, str] | None = None,
    label_names: Sequence[str] | None = None,
    labels: Collection[str] | None = None,
    use_parses: bool = True,
    unlabelled: bool = False,
    counts: ReadCounts | None = None,
    name: str = "rows",
) -> Iterator[Example]:
    """Yield the examples of rows that are dictionaries; each is a pair of sentences.

    Parameters
    ----------
    rows
        The rows.
    columns
        Names of fields by role (``premise``, ``hypothesis``, ``label``, ``id``); by default they
        are found by their usual names.
    label_names
        Names of the labels 0, 1, 2, ...; by default those in ``rows.features``, as a data set of
        HuggingFace has them, if there are any.
    labels
        Allowed labels, such as those of a trained model; any label by default.
    use_parses, unlabelled, counts
        See :func:`spinn.data.readers.read_examples`.
    name
        Name of the rows in errors; the line of an error is the number of the row, from 1.

    Raises
    ------
    ConfigurationError
        If ``columns`` or ``label_names`` cannot be names.
    DataError
        During iteration, at the first row that cannot be read.

    """
    naming = Naming(columns or {}, tuple(label_names or ()))
    path = Path(name)
    return examples_of(
        _numbered(rows, path, naming),
        path,
        JSON_LINES,
        use_parses,
        labels,
        ReadCounts() if counts is None else counts,
        unlabelled,
    )


def _numbered(
    rows: Iterable[Mapping[str, Any]], path: Path, naming: Naming
) -> Iterator[NumberedRow]:
    stream = _dictionaries(rows, path)
    sample = list(islice(stream, SAMPLE))
    names = names_of(sample)
    _check_names(names, path)
    columns = named_columns(path, None, names, naming) if names else None
    if sample and columns is None:
        raise DataError(
            path,
            f"the fields ({', '.join(names)}) are not known",
            remedy="Name them by columns={'premise': ..., 'hypothesis': ..., 'label': ...}",
        )
    if columns is not None:
        numbered = enumerate(chain(sample, stream), start=1)
        read = ((number, _row(columns, path, number, row)) for number, row in numbered)
        yield from name_labels(path, read, naming.label_names or _feature_names(rows, columns))


def _check_names(names: Sequence[object], path: Path) -> None:
    for name in names:
        if not isinstance(name, str):
            raise DataError(
                path,
                f"the name of a field is {name!r} where text is required",
                remedy="Name the fields (in a pandas table: table.columns = ['label', 'premise', "
                "'hypothesis'])",
            )


def _row(columns: Columns, path: Path, number: int, fields: Mapping[str, Any]) -> Row:
    """Return the row of a dictionary, whose texts nothing has decoded before."""
    row = read_fields(columns, path, number, fields)
    sources = [row.premise] if row.hypothesis is None else [row.premise, row.hypothesis]
    for text in (row.label, row.identifier, row.language, *chain.from_iterable(sources)):
        check_unicode(text or "", path, number)
    return row


def _dictionaries(rows: Iterable[Mapping[str, Any]], path: Path) -> Iterator[Mapping[str, Any]]:
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise DataError(
                path,
                f"a row is of type {type(row).__name__} where a dictionary is required",
                line=number,
                remedy="Give one dictionary for each row (a pandas table: .to_dict('records'))",
            )
        yield row


def _feature_names(rows: object, columns: Columns) -> Sequence[str]:
    """Return the names of the classes of the label in a data set of HuggingFace."""
    features = getattr(rows, "features", None)
    if columns.label is None or not isinstance(features, Mapping):
        return ()
    return getattr(features.get(columns.label), "names", None) or ()
