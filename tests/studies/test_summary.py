"""Summaries of rows, computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from examples import a_set, a_study, left, right

from spinn.studies.measurement import Measurement
from spinn.studies.summary import agreement, score_row_trees, summarise
from spinn.studies.tables import Table
from spinn.transitions import balanced


def test_accuracies_and_comparison_by_hand():
    spinn, lstm, never = summarise(a_study(), "SPINN")
    accuracy = spinn.accuracy["dev"]
    assert accuracy.seeds == pytest.approx((2 / 3, 1 / 3))
    assert accuracy.mean == pytest.approx(0.5)
    assert accuracy.deviation == pytest.approx(2**0.5 / 6)
    assert accuracy.interval.low <= 0.5 <= accuracy.interval.high
    assert spinn.comparison == {}
    compared = lstm.comparison["dev"]
    assert compared.difference == pytest.approx(0.5)
    # Differences of the pairs are 0, 1/2 and 1: of 4 sign patterns, 2 reach 3/2 in size.
    assert compared.p == pytest.approx(0.5)
    assert compared.adjusted == compared.p
    assert (never.seeds, never.accuracy, never.comparison) == ((), {}, {})
    assert (spinn.weights, spinn.seconds) == (100, 3.0)


def test_tree_scores_by_hand():
    spinn, lstm, _ = summarise(a_study(), "SPINN")
    assert lstm.trees is None
    trees = spinn.trees
    assert trees is not None
    # Left and right branching share only the root, of 3, 2, 1, 0, 4 and 3 spans in all.
    shared = np.array([1 / 3, 1 / 2, 1, 1, 1 / 4, 1 / 3])
    assert trees.f1["left"] == pytest.approx((1, shared.mean()))
    assert trees.f1["right"] == pytest.approx((shared.mean(), 1))
    assert trees.f1["gold"] == pytest.approx((1, shared[:4].mean()))  # the last two have no parse
    assert trees.agreement == pytest.approx((shared.mean(),))
    # Words of a tree of N that branches one way lie (N (N + 1) / 2 - 1) / N below the root.
    depths = [(n * (n + 1) / 2 - 1) / n for n in (4, 3, 2, 1, 5, 4)]
    assert trees.depth == pytest.approx((np.mean(depths), np.mean(depths)))


def test_each_two_seeds_are_compared():
    shape = [balanced(length) for length in (4, 3, 2, 1, 5, 4)]
    scores = agreement([left(), left(), right(), shape])
    assert len(scores) == 6
    assert scores[0] == 1.0
    assert scores[1] == scores[3] < 1  # each left one with the right one
    assert agreement([left()]) == ()


def test_without_parses_there_is_no_score_with_gold():
    scores = score_row_trees([a_set([0, 0, 0], left())], "dev")
    assert scores is not None
    assert set(scores.f1) == {"left", "right", "balanced"}


def test_rows_measured_on_other_pairs_are_not_compared():
    study = a_study()
    other = replace(a_set([0, 0, 0]), lengths=np.array([9, 9, 9, 9, 9, 9], dtype=np.int32))
    study["other"] = {1: Measurement({"dev": other}, 1, 1.0)}
    rows = {row.name: row for row in summarise(study, "SPINN")}
    assert rows["other"].comparison == {}
    assert rows["other"].accuracy["dev"].mean == 1.0
    assert rows["LS_TM | 50%"].comparison != {}


def test_a_set_counts_if_every_run_of_a_row_has_it():
    study = a_study()
    study["SPINN"][1].sets["test"] = a_set([0, 0, 0])
    assert all("test" not in row.accuracy for row in summarise(study, "SPINN"))


def test_a_set_of_some_rows_counts_for_these_rows():
    study = a_study()
    for run in study["LS_TM | 50%"].values():
        run.sets.update({"7": a_set([0, 0, 1]), "test": a_set([0, 1, 1])})
    spinn, lstm, _ = summarise(study, "SPINN")
    assert list(spinn.accuracy) == ["dev"]
    assert lstm.accuracy["test"].mean == pytest.approx(1 / 3)
    assert lstm.accuracy["7"].mean == pytest.approx(2 / 3)
    assert list(lstm.comparison) == ["dev"]
    assert spinn.trees is not None
    assert spinn.trees.split == "dev"
    table = Table([spinn, lstm], "SPINN")
    assert table.splits == ["dev", "test", "7"]
    header, _, first, second = (line.split(" | ") for line in table.markdown().splitlines()[:4])
    assert (first[header.index("test")], second[header.index("test")]) == ("–", "33.33")
    assert (first[header.index("7")], second[header.index("7")]) == ("–", "66.67")


def test_the_summary_of_a_row_does_not_depend_on_other_rows():
    study = a_study()
    row = "LS_TM | 50%"
    whole = summarise(study, "SPINN")[1]
    assert summarise({row: study[row], "SPINN": study["SPINN"]}, "SPINN")[0] == whole
    assert summarise({row: study[row]}, row)[0].accuracy == whole.accuracy


def test_any_row_can_be_compared_with():
    spinn, lstm, _ = summarise(a_study(), "LS_TM | 50%")
    assert lstm.comparison == {}
    assert spinn.comparison["dev"].difference == pytest.approx(-0.5)
    for row in summarise(a_study(), "never run"):
        assert row.comparison == {}
