"""Trees of spaCy's parser."""

from __future__ import annotations

import zipfile
from itertools import islice
from pathlib import Path

import pytest

from spinn.data.readers import read_examples
from spinn.data.spacy_parser import SpacyParser
from spinn.support.errors import ConfigurationError
from spinn.transitions import check, to_spans

spacy = pytest.importorskip("spacy")


def test_a_pipeline_that_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path):
    for name in ("en_no_such_pipeline", str(tmp_path / "absent"), str(tmp_path)):
        with pytest.raises(ConfigurationError, match="python -m spacy download en_core_web_sm"):
            SpacyParser(name)


def test_a_pipeline_without_a_parser_is_refused(tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ConfigurationError, match="has no dependency parser"):
        SpacyParser(str(tmp_path / "blank"))


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
