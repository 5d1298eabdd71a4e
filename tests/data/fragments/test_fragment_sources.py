"""Trees from files, and their split."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path

import pytest
from labelled_trees import SENTENCES, english

from spinn.data.fragments.python import python_source
from spinn.data.fragments.sources import is_python, read_sequences, split_sequences
from spinn.data.fragments.tree import tree_of
from spinn.support.errors import ConfigurationError, DataError


def pairs(path: Path, *rows: tuple[str, str]) -> Path:
    lines = [json.dumps({"sentence1_parse": a, "sentence2_parse": b}) for a, b in rows]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_premises_of_pairs_are_read_once_and_all_hypotheses(tmp_path):
    first, second, third, fourth = english()
    a, b, c, d = SENTENCES
    path = pairs(tmp_path / "pairs.jsonl.gz", (a, b), (a, c), (d, b))
    assert read_sequences([path]) == [first, second, third, fourth, second]
    repeated = read_sequences([path], repeats=True)
    assert repeated == [first, second, first, third, fourth, second]


def test_brackets_are_one_tree_a_line(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text("\n\n".join(SENTENCES))
    assert read_sequences([path, path]) == 2 * english()


def test_each_statement_of_a_program_is_a_tree(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("x = 1\n\nif x:\n    y = x\n")
    programs = [python_source(tree_of(one)) for one in read_sequences([path])]
    assert programs == ["x = 1", "if x:\n    y = x"]


def test_programs_of_a_folder_that_cannot_be_read_are_left_out(tmp_path, caplog):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "good.py").write_text("x = 1")
    (tmp_path / "bad.py").write_text("x = = 1")
    with caplog.at_level(logging.WARNING, "spinn"):
        assert len(read_sequences([tmp_path])) == 1
    assert "left out 1 of 2 programs" in caplog.text
    assert "bad.py: it is not a Python program (invalid syntax, line 1)" in caplog.text


def test_programs_and_sentences_are_not_mixed(tmp_path):
    assert is_python([tmp_path, Path("a.py")])
    assert not is_python([Path("a.jsonl.gz"), Path("b.txt")])
    with pytest.raises(ConfigurationError, match="cannot be mixed"):
        is_python([Path("a.py"), Path("b.txt")])


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.jsonl", '{"sentence1_parse": "(A a)"}', "no text under 'sentence2_parse'"),
        ("a.jsonl", '{"sentence1_parse": ["(A a)"]}', "no text under 'sentence1_parse'"),
        ("a.jsonl", '{"sentence1_parse"', "is not JSON"),
        ("a.jsonl", '{"sentence1_parse": "(A a", "sentence2_parse": "(A a)"}', "never closed"),
        ("a.txt", "(A a)", None),
        ("a.txt", "(A a))", "no opening bracket"),
        ("a.txt", "(A \xff)", "is not UTF-8"),
        ("a.txt", "", "it has no trees"),
        ("a.py", "", "it has no trees"),
        ("a.py", "x = ", "not a Python program"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, name, content, cause):
    path = tmp_path / name
    path.write_bytes(content.encode("latin1"))
    if cause is None:
        assert len(read_sequences([path])) == 1
        return
    with pytest.raises(DataError, match=cause) as caught:
        read_sequences([path])
    assert caught.value.path == path
    assert caught.value.remedy


def test_missing_files_are_refused(tmp_path):
    for name in ("a.py", "a.txt"):
        with pytest.raises(DataError, match="there is no such file"):
            read_sequences([tmp_path / name])
    with pytest.raises(DataError, match="it has no trees"):
        read_sequences([tmp_path])


def test_split_is_by_different_tree_and_repeats_with_the_seed():
    first, second, third, fourth = english()
    trees = [first, second, first, third, fourth, second]
    training, held_out = split_sequences(trees, seed=3, share=0.5)
    assert (training, held_out) == split_sequences(trees, seed=3, share=0.5)
    assert sorted([*training, *held_out]) == sorted(trees)
    assert not any(one in held_out for one in training)
    assert len({tuple(one) for one in held_out}) == 2
    held = [split_sequences(trees, seed)[1] for seed in range(20)]
    assert all(len({tuple(one) for one in part}) == 1 for part in held)
    assert len({tuple(part[0]) for part in held}) > 1


def test_split_requires_two_trees():
    with pytest.raises(ConfigurationError, match="fewer than two"):
        split_sequences(english()[:1] * 3, seed=1)
