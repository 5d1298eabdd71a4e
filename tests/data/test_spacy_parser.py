"""Trees of spaCy's parser."""

from __future__ import annotations

import zipfile
from itertools import islice
from pathlib import Path

import pytest

from spinn.data.examples import Example, Sentence
from spinn.data.readers import read_examples
from spinn.data.spacy_parser import SpacyParser, pipeline_of
from spinn.support.errors import ConfigurationError
from spinn.transitions import check, left_branching, right_branching, to_spans

spacy = pytest.importorskip("spacy")


def test_a_pipeline_that_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path):
    for name in ("en_no_such_pipeline", str(tmp_path / "absent"), str(tmp_path)):
        with pytest.raises(ConfigurationError, match="python -m spacy download en_core_web_sm"):
            next(SpacyParser(name).trees([["a", "dog"]]))


def test_a_pipeline_without_a_parser_is_refused(tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ConfigurationError, match="has no dependency parser"):
        next(SpacyParser(str(tmp_path / "blank")).trees([["a", "dog"]]))


def test_a_value_of_the_flag_names_a_pipeline():
    assert pipeline_of("spacy") == "en_core_web_sm"
    assert pipeline_of("spacy:some/folder") == "some/folder"
    assert pipeline_of("own") is None


def test_only_sentences_without_a_tree_are_parsed(monkeypatch):
    parsed = []

    def trees(self, sentences):
        parsed.extend(sentences)
        return map(right_branching, map(len, parsed))

    monkeypatch.setattr(SpacyParser, "trees", trees)
    given = Sentence(["a", "b", "c"], left_branching(3))
    pair = Example(given, Sentence(["d", "e"]), "neutral", 1, "x")
    single = Example(Sentence(["d", "e"]), None, None, 2)
    whole = Example(given, None, "neutral", 3)
    first, second, third = SpacyParser().complete([pair, single, whole])
    assert parsed == [("d", "e")]  # once
    assert first.premise is given
    assert third == whole
    assert first.hypothesis.transitions.tolist() == second.premise.transitions.tolist() == [3, 3, 2]
    assert (first.label, first.identifier, second.line) == ("neutral", "x", 2)
    assert second.hypothesis is None


@pytest.fixture(scope="module")
def pipeline(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Unpack spaCy's small English pipeline."""
    folder = tmp_path_factory.mktemp("pipeline")
    (wheel,) = (real_data / "spacy").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    return str(next(folder.glob("*/*/config.cfg")).parent)


def test_trees_are_near_those_of_snli(pipeline, real_data):
    path = real_data / "snli" / "snli_1.0_dev.jsonl.gz"
    gold = {
        " ".join(sentence.words): sentence
        for example in islice(read_examples(path), 150)
        for sentence in example.sentences
        if len(sentence.words) > 2
    }
    scores = []
    words = [sentence.words for sentence in gold.values()]
    for sentence, tree in zip(gold.values(), SpacyParser(pipeline).trees(words), strict=True):
        check(tree, len(sentence.words))
        found, expected = set(to_spans(tree)), set(to_spans(sentence.transitions))
        scores.append(2 * len(found & expected) / (len(found) + len(expected)))
    assert sum(scores) / len(scores) > 0.9
