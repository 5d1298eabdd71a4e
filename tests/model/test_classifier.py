"""The pair classifier: its features, its depth, its norms and its dropout."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from machine import DEVICE
from torch import Tensor, nn

from spinn.model.classifier import PairClassifier

tensor = partial(torch.tensor, device=DEVICE)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def make_classifier(*shape: int, **options: Any) -> PairClassifier:
    return PairClassifier(*shape, **options).to(DEVICE)


def test_features_are_both_vectors_their_difference_and_their_product():
    classifier = make_classifier(2, 8, layers=0)
    final = classifier.layers[-1]
    nn.init.eye_(final.weight)
    nn.init.zeros_(final.bias)
    scores = classifier(tensor([[2.0, 3.0]]), tensor([[5.0, -1.0]]))
    assert scores.tolist() == [[2, 3, 5, -1, -3, 4, 10, -3]]


def test_the_feature_of_a_single_sentence_is_its_vector():
    classifier = make_classifier(2, 2, layers=0, sides=1)
    final = classifier.layers[-1]
    nn.init.eye_(final.weight)
    nn.init.zeros_(final.bias)
    assert classifier(tensor([[2.0, 3.0]])).tolist() == [[2, 3]]


def test_hidden_layers_are_rectified():
    classifier = make_classifier(1, 2, layers=2, width=3).eval()
    first, second, final = (layer for layer in classifier.layers if isinstance(layer, nn.Linear))
    u, v = drawn(0, 5, 1), drawn(1, 5, 1)
    features = torch.cat([u, v, u - v, u * v], dim=1)
    hidden = second(first(features).clamp(min=0)).clamp(min=0)
    torch.testing.assert_close(classifier(u, v), final(hidden))


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_depth_and_width_are_as_asked_for(layers):
    linear = [
        layer
        for layer in make_classifier(5, 3, layers=layers, width=7).layers
        if isinstance(layer, nn.Linear)
    ]
    sizes = [20] + [7] * layers + [3]
    assert [(one.in_features, one.out_features) for one in linear] == list(pairwise(sizes))


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_pairs_are_scored_alone_in_evaluation(norm):
    classifier = make_classifier(4, 3, width=6, norm=norm, dropout=0.5).double()
    classifier.train()(drawn(2, 9, 4).double(), drawn(3, 9, 4).double())  # moves statistics
    classifier.eval()
    u, v = drawn(0, 5, 4).double(), drawn(1, 5, 4).double()
    alone = torch.cat([classifier(u[i : i + 1], v[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(classifier(u, v), alone)


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_features_and_hidden_layers_are_normalised(norm):
    kind = nn.BatchNorm1d if norm == "batch" else nn.LayerNorm
    classifier = make_classifier(4, 3, layers=2, width=6, norm=norm)
    found = [layer for layer in classifier.layers if isinstance(layer, kind)]
    assert [layer.weight.shape[0] for layer in found] == [16, 6, 6]
    # The first of them makes the scores blind to the scale of the features.
    u, v = drawn(0, 8, 4), drawn(1, 8, 4)
    features = torch.cat([u, v, u - v, u * v], dim=1)
    tail = classifier.layers[1:]
    torch.testing.assert_close(classifier(u, v), tail(found[0](features)))


def test_dropout_is_of_training_only():
    classifier = make_classifier(4, 3, width=64, dropout=0.5)
    u, v = drawn(0, 5, 4), drawn(1, 5, 4)
    torch.manual_seed(0)
    assert not torch.equal(classifier.train()(u, v), classifier(u, v))
    assert torch.equal(classifier.eval()(u, v), classifier(u, v))


def test_order_of_the_sentences_matters():
    classifier = make_classifier(4, 3)
    u, v = drawn(0, 5, 4), drawn(1, 5, 4)
    assert not torch.allclose(classifier(u, v), classifier(v, u))
