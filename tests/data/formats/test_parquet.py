"""Parquet: columns as in tables, names of labels from the metadata, and its errors."""

from __future__ import annotations

import json
import sys

import pytest
from rows import read, write

from spinn.data.examples import PAIR
from spinn.data.formats import detect_format
from spinn.data.formats.columns import read_naming
from spinn.data.readers import read_label_set
from spinn.support.errors import DataError

TABLE = {
    "label": [1, -1, 0, None],
    "hypothesis": ["It moves.", "It is.", "No.", "Yes."],
    "idx": [4, 5, 6, 7],
    "premise": ["A dog runs.", "It.", "Yes.", "No."],
}


@pytest.fixture
def pyarrow():
    """Return the package, or skip the test if it is not installed."""
    return pytest.importorskip("pyarrow")


def save(path, table, classes=None):
    from pyarrow import Table, parquet

    names = {"info": {"features": {"label": {"names": classes, "_type": "ClassLabel"}}}}
    table = Table.from_pydict(table)
    if classes:
        table = table.replace_schema_metadata({"huggingface": json.dumps(names)})
    parquet.write_table(table, path)
    return path


def test_rows_are_those_of_a_table(pyarrow, tmp_path):
    path = save(tmp_path / "f.parquet", TABLE)
    assert detect_format(path).name == "parquet"
    first, second = read(path)
    assert (first.label, first.identifier, first.line) == ("1", "4", 1)
    assert first.premise.words == ["A", "dog", "runs", "."]
    assert first.hypothesis.words == ["It", "moves", "."]
    assert (second.label, second.line) == ("0", 3)
    assert len(read(path, unlabelled=True)) == 4


def test_names_of_labels_come_from_the_metadata_or_the_user(pyarrow, tmp_path):
    path = save(tmp_path / "f.parquet", TABLE, ["no", "yes"])
    assert [example.label for example in read(path)] == ["yes", "no"]
    assert read_label_set(path, "auto", ("no", "yes"), PAIR) == {"no", "yes", None}
    given = read(path, naming=read_naming(None, "neutral,entailment"))
    assert [example.label for example in given] == ["entailment", "neutral"]


def test_columns_can_be_named(pyarrow, tmp_path):
    path = save(tmp_path / "f.parquet", {"a": ["A dog."], "b": ["It."], "c": ["no"]})
    with pytest.raises(DataError, match=r"its columns \(a, b, c\) are not known\. .*--columns"):
        read(path)
    (example,) = read(path, naming=read_naming("premise=b,hypothesis=a,label=c", None))
    assert (example.label, example.premise.words) == ("no", ["It", "."])
    with pytest.raises(DataError, match="no column 'd'; the columns are a, b, c"):
        read(path, naming=read_naming("premise=b,hypothesis=d", None))


def test_bad_cells_are_named_by_row(pyarrow, tmp_path):
    path = save(tmp_path / "f.parquet", TABLE | {"premise": ["A.", "B.", "C.", None]})
    with pytest.raises(DataError, match="line 4: the field 'premise' is not text"):
        read(path, unlabelled=True)


def test_other_files_and_missing_ones_are_refused(pyarrow, tmp_path):
    with pytest.raises(DataError, match="it is not a Parquet file, or damaged"):
        read(write(tmp_path / "f.parquet", "label,premise,hypothesis"))
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path / "other.parquet")
    other = save(tmp_path / "f.parquet", TABLE).rename(tmp_path / "f.data")
    with pytest.raises(DataError, match="this is a Parquet file"):
        read(other)
    assert len(read(other, "parquet")) == 2


def test_a_missing_package_is_named_with_the_way_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pyarrow, which is not installed\. .*pip install pyarrow"):
        read(write(tmp_path / "f.parquet", "PAR1"))
