"""The headers of studies, and the studies that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinn.studies.expansion import expand
from spinn.studies.reference import Reference
from spinn.studies.study import (
    StudyHeader,
    override,
    read_header,
    read_study,
    study_file,
    study_names,
)
from spinn.support.errors import ConfigurationError, DataError


def files_for(needs: dict[str, str]) -> dict[str, object]:
    """Return options that name a file for each required one."""
    flags: dict[str, object] = {
        name: "v.txt" if name == "vectors" else ["x"]
        for name in needs
        if name in ("train", "dev", "test", "vectors")
    }
    also = [f"{name}=x" for name in needs if name not in flags]
    return flags | ({"also": also} if also else {})


@pytest.mark.parametrize("name", study_names())
def test_every_study_of_the_catalogue_can_be_expanded(name):
    study = read_study(study_file(name))
    header = study.header
    assert header is not None
    assert header.title
    assert header.task
    expanded = expand(override(study, files_for(header.needs), {}, None), name)
    sets = {"dev", "test", *header.needs}
    for reference in header.expected:
        assert reference.model in expanded.rows
    for reference in (*header.expected, *header.published):
        assert set(reference.accuracy) <= sets
        assert all(0 < value <= 100 for value in reference.accuracy.values())
    assert all(reference.source for reference in header.published)
    if header.needs:
        with pytest.raises(ConfigurationError, match="This study needs files"):
            expand(study, name)


def test_an_unknown_study_is_rejected():
    with pytest.raises(ConfigurationError, match=r"no study called 'snli'; choose from .*sick"):
        study_file("snli")


def test_a_folder_has_train_dev_and_test():
    header = StudyHeader("title", "task", {"train": "a", "test": "b", "7": "c"})
    with pytest.raises(ConfigurationError) as caught:
        header.check_files({"data": "folder"})
    assert str(caught.value) == "This study needs files. Add --also 7=FILE (c)."
    header.check_files({"data": "folder", "also": ["7=d"]})


@pytest.mark.parametrize("also", [3, "7=x", [3]])
def test_further_sets_of_another_type_are_left_to_the_check_of_options(also):
    header = StudyHeader("title", "task", needs={"train": "a file"})
    header.check_files({"train": ["x"], "also": also})
    with pytest.raises(ConfigurationError, match="needs files"):
        header.check_files({"also": also})


def test_remarks_have_published_and_expected_accuracies():
    published = (Reference("LSTM", {"7": 87, "8": 83}, "B"), Reference("bag", {"dev": 50}))
    header = StudyHeader("title", "task", published=published, expected=published[1:])
    assert header.remarks() == [
        "Published: LSTM: 87, 83 on 7, 8 (B); bag: 50 on dev.",
        "Expected: bag: 50 on dev.",
    ]
    assert StudyHeader("title", "task").remarks() == []


@pytest.mark.parametrize(
    "values",
    [
        {"title": "a"},
        {"title": "a", "task": "b", "taks": "c"},
        {"title": "a", "task": "b", "published": [{"model": "c"}]},
        {"title": "a", "task": "b", "expected": ["c"]},
        {"title": "a", "task": "b", "expected": 3},
        {"title": "a", "task": "b", "expected": [{"model": "c", "accuracy": 3}]},
        {"title": "a", "task": "b", "published": [{"model": "c", "accuracy": {"dev": "x"}}]},
        {"title": "a", "task": "b", "published": [{"model": 1, "accuracy": {"dev": 1}}]},
        {"title": "a", "task": "b", "needs": "train"},
        {"title": "a", "task": "b", "needs": {"train": 1}},
        {"title": "a", "task": "b", "highlights": 3},
        {"title": "a", "task": "b", "highlights": [3]},
        {"title": "a", "task": 3},
        "title",
    ],
)
def test_an_invalid_header_is_reported_with_its_file(values):
    with pytest.raises(DataError, match=r"study\.toml: \[study\] is invalid .* See"):
        read_header(values, Path("study.toml"))


def test_highlights_must_be_rows(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('[study]\ntitle = "a"\ntask = "b"\nhighlights = ["x"]\n[[row]]\nname = "y"\n')
    with pytest.raises(DataError, match="highlights 'x', which is not a row"):
        read_study(path)
