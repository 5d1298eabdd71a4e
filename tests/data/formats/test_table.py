"""Tables: any labels, raw text."""

from __future__ import annotations

from rows import read, write


def test_tsv_takes_any_label_and_a_header(tmp_path):
    rows = ["yes\tIt rains (a lot).\tIt's wet.", "no\tIt rains.\tIt is dry."]
    plain = read(write(tmp_path / "plain", *rows))
    headed = read(write(tmp_path / "headed", "gold_label\tsentence1\tsentence2", *rows))
    assert [e.label for e in plain] == ["yes", "no"]
    assert plain[0].premise.words == ["It", "rains", "-LRB-", "a", "lot", "-RRB-", "."]
    assert plain[0].hypothesis.words == ["It", "'s", "wet", "."]
    assert [(e.premise, e.line - 1) for e in headed] == [(e.premise, e.line) for e in plain]
