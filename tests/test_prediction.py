"""Trees, traces and predictions, as a predictor returns them."""

from __future__ import annotations

import json
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from spinn.data.examples import Sentence
from spinn.prediction import Prediction, SentenceTrace, Tree
from spinn.support.errors import ConfigurationError
from spinn.transitions import TreeError, from_brackets, left_branching, right_branching

BRACKETS = "( ( the dog ) ( chased ( a cat ) ) )"
TREE = Tree(*from_brackets(BRACKETS))


def trace_of(tree: Tree, *, scored: bool = True) -> SentenceTrace:
    reduce = np.linspace(0, 1, len(tree.transitions), dtype=np.float32)
    return SentenceTrace(tree, np.stack([reduce, 1 - reduce], axis=1) if scored else None)


def test_a_tree_in_its_forms():
    assert TREE.brackets == BRACKETS
    assert TREE.words == ["the", "dog", "chased", "a", "cat"]
    assert TREE.spans == [(0, 2), (3, 5), (2, 5), (0, 5)]
    assert isinstance(TREE, Sentence)
    assert TREE.draw(ascii_only=True).splitlines()[0] == "+-+---- the"
    svg = ElementTree.fromstring(TREE._repr_svg_())
    assert [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")] == TREE.words


def test_words_that_brackets_cannot_write_are_drawn_all_the_same():
    tree = Tree(["<script>", "a dog"], right_branching(2))
    assert "&lt;script&gt;" in tree.to_svg()
    with pytest.raises(TreeError, match="cannot be written"):
        _ = tree.brackets


def test_a_tree_of_nltk():
    nltk = pytest.importorskip("nltk")
    assert TREE.to_nltk().leaves() == TREE.words
    assert " ".join(str(TREE.to_nltk()).split()) == "( ( the dog) ( chased ( a cat)))"
    assert Tree(["Yes"], left_branching(1)).to_nltk() == nltk.Tree("", ["Yes"])
    assert len(Tree(["w"] * 5000, left_branching(5000)).to_nltk()) == 2


def test_without_nltk_the_error_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(ConfigurationError, match="pip install nltk"):
        TREE.to_nltk()


def test_the_steps_of_a_trace_show_what_was_seen_before_each():
    trace = trace_of(TREE)
    steps = list(trace)
    assert len(steps) == len(trace) == 9
    names = [step.transition for step in steps]
    assert names == ["shift", "shift", "reduce", *["shift"] * 3, *["reduce"] * 3]
    assert (steps[0].stack, steps[0].buffer) == ([], TREE.words)
    assert (steps[3].stack, steps[3].buffer) == (["( the dog )"], ["chased", "a", "cat"])
    assert steps[8].stack == ["( the dog )", "( chased ( a cat ) )"]
    assert steps[8].buffer == []
    for step, (reduce, shift) in zip(steps, trace.probabilities, strict=True):
        assert step.probabilities == {"shift": shift, "reduce": reduce}
    last = steps[-1].stack
    assert f"( {last[-2]} {last[-1]} )" == BRACKETS


@pytest.mark.parametrize("scored", [True, False])
def test_a_trace_is_ready_for_json(scored):
    trace = trace_of(TREE, scored=scored)
    read = json.loads(json.dumps(trace.as_dict()))
    assert read["words"] == TREE.words
    assert [step["transition"] for step in read["steps"]] == [one.transition for one in trace]
    assert read["steps"][3]["stack"] == ["( the dog )"]
    assert (read["steps"][0]["probabilities"] is not None) == scored


def test_a_prediction_is_ready_for_json_and_short_in_a_notebook():
    traces = (trace_of(TREE), trace_of(Tree(["yes"], left_branching(1))))
    sentences = tuple(trace.tree for trace in traces)
    vectors = np.zeros((2, 3), dtype=np.float32)
    prediction = Prediction("a", {"a": 0.75, "b": 0.25}, sentences, ("dog",), vectors, traces)
    assert prediction.trees == sentences
    assert json.loads(json.dumps(prediction.as_dict())) == {
        "predicted": "a",
        "probabilities": {"a": 0.75, "b": 0.25},
        "premise": BRACKETS,
        "hypothesis": "yes",
        "unknown": ["dog"],
    }
    assert "vectors" not in repr(prediction)
    plain = Prediction("a", {"a": 1.0}, (Sentence(["yes"]),), (), vectors, None)
    assert plain.trees is None
