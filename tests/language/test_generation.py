"""Generation of text: draws from scores, and sentences that begin anew."""

from __future__ import annotations

import pytest
import torch

from spinn.data.language import END
from spinn.data.vocabulary import PADDING, UNKNOWN
from spinn.language.generation import draw, sample
from spinn.model.language import LanguageModel, LanguageModelOptions


@pytest.mark.parametrize("temperature", [0.0, 1e-300, 1e-50, 1e-30])
def test_a_tiny_temperature_takes_the_likeliest_token(temperature):
    scores = torch.tensor([0.0, 2.0, 1.999, -torch.inf])
    random = torch.Generator().manual_seed(0)
    assert {draw(scores, temperature, 0, random) for _ in range(20)} == {1}


@pytest.fixture
def model() -> LanguageModel:
    torch.manual_seed(30)  # one that ends sentences
    made = LanguageModel(6, LanguageModelOptions(embedding_size=4, hidden_size=5, layers=1))
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=1.5)
    return made


def test_sentences_apart_begin_as_the_first_does(model):
    random = torch.Generator().manual_seed(0)
    drawn = list(sample(model, [], 300, 0.0, 0, random, apart=True))
    assert not {UNKNOWN, PADDING} & set(drawn)
    end = drawn.index(END) + 1
    sentences = [drawn[start : start + end] for start in range(0, 300 - end, end)]
    assert len(sentences) > 1
    assert all(sentence == sentences[0] for sentence in sentences)
    assert drawn != list(sample(model, [], 300, 0.0, 0, random))
