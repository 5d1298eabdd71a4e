"""Building: the options become the model they name; words without a vector get a fitting one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spinn.model.baselines import BagOfWords, SequenceLSTM
from spinn.model.build import ModelOptions, build_embedding, build_encoder, build_model
from spinn.model.cells import GatedRecursiveCell, TreeLSTM
from spinn.model.encoder import SPINN
from spinn.model.gumbel import GumbelTreeLSTM

SIZE, WIDTH = 200, 8
KNOWN = torch.arange(SIZE) % 4 != 0
VECTORS = 3 * torch.randn(SIZE, WIDTH, generator=torch.Generator().manual_seed(0)) * KNOWN[:, None]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("spinn", SPINN),
        ("gumbel", GumbelTreeLSTM),
        ("lstm", SequenceLSTM),
        ("bilstm", SequenceLSTM),
        ("bow", BagOfWords),
    ],
)
def test_encoder_is_the_one_named(name, kind):
    encoder = build_encoder(ModelOptions(encoder=name, hidden_size=10), predicts=False)
    assert isinstance(encoder, kind)
    assert encoder.output_size == 10


@pytest.mark.parametrize("name", ["spinn", "gumbel", "lstm", "bilstm"])
def test_pooling_reaches_the_encoder(name):
    options = ModelOptions(encoder=name, hidden_size=10, pooling="max")
    assert build_encoder(options, predicts=False).pooling == "max"


@pytest.mark.parametrize(
    ("name", "kind"), [("tree-lstm", TreeLSTM), ("gated-recursive", GatedRecursiveCell)]
)
def test_composition_is_the_one_named_and_leaves_are_as_wide_as_its_states(name, kind):
    options = ModelOptions(composition=name, hidden_size=10, composition_dropout=0.3)
    model = build_model(options, build_embedding(options, 9), 3, predicts=False)
    assert isinstance(model.encoder.composition, kind)
    assert model.encoder.composition.dropout == 0.3
    assert model.leaves.projection.out_features == model.encoder.composition.state_size


def test_tracker_is_built_where_it_is_asked_for():
    small = {"hidden_size": 10, "tracker_size": 5}
    assert build_encoder(ModelOptions(**small), predicts=False).tracker is None
    watching = build_encoder(ModelOptions(tracker=True, **small), predicts=False)
    assert watching.tracker.size == 5
    assert watching.tracker.score is None
    predicting = build_encoder(ModelOptions(tracker=True, **small), predicts=True)
    assert predicting.tracker.score is not None


def test_dropout_and_norms_go_where_they_belong():
    options = ModelOptions(
        hidden_size=4,
        embedding_dropout=0.11,
        leaf_dropout=0.22,
        classifier_dropout=0.33,
        leaf_norm="batch",
        classifier_norm="layer",
        classifier_layers=3,
        classifier_width=6,
    )
    model = build_model(options, build_embedding(options, 9), 5, predicts=False)
    assert (model.leaves.embedding_dropout.p, model.leaves.dropout.p) == (0.11, 0.22)
    drops = [layer.p for layer in model.classifier.layers if isinstance(layer, nn.Dropout)]
    assert drops == [0.33] * 4
    assert isinstance(model.leaves.norm, nn.BatchNorm1d)
    assert sum(isinstance(layer, nn.LayerNorm) for layer in model.classifier.layers) == 4
    assert model.classifier.layers[-1].out_features == 5


@pytest.mark.parametrize("embeddings", ["tuned", "fixed"])
@pytest.mark.parametrize("unknown", ["trained", "random"])
def test_pretrained_vectors_are_kept_and_the_others_drawn_at_their_scale(embeddings, unknown):
    torch.manual_seed(0)
    options = ModelOptions(embeddings=embeddings, unknown=unknown)
    embedding = build_embedding(options, SIZE, VECTORS, KNOWN)
    found = embedding(torch.arange(SIZE)).detach()
    assert torch.equal(found[KNOWN], VECTORS[KNOWN])
    ratio = (found[~KNOWN].std() / VECTORS[KNOWN].std()).item()
    assert 0.8 < ratio < 1.25
    trained = embedding.trained_rows >= 0
    expected = {
        ("tuned", "trained"): torch.ones_like(KNOWN),
        ("tuned", "random"): torch.ones_like(KNOWN),
        ("fixed", "trained"): ~KNOWN,
        ("fixed", "random"): torch.zeros_like(KNOWN),
    }
    assert torch.equal(trained, expected[embeddings, unknown])


@pytest.mark.parametrize("unknown", ["trained", "random"])
def test_induced_vectors_are_kept_and_trained_as_those_of_unknown_words_are(unknown):
    options = ModelOptions(embeddings="fixed", unknown=unknown)
    induced = torch.where(KNOWN[:, None], VECTORS, 0.5)
    embedding = build_embedding(options, SIZE, induced, KNOWN)
    assert torch.equal(embedding(torch.arange(SIZE)).detach(), induced)
    assert torch.equal(embedding.trained_rows >= 0, ~KNOWN & (unknown == "trained"))


def test_the_table_of_pretrained_vectors_is_not_written_into():
    before = VECTORS.clone()
    build_embedding(ModelOptions(), SIZE, VECTORS, KNOWN)
    assert torch.equal(VECTORS, before)


def test_without_vectors_all_words_are_trained_from_small_numbers():
    torch.manual_seed(0)
    embedding = build_embedding(ModelOptions(embedding_size=12, embeddings="fixed"), SIZE)
    assert embedding.trained.shape == (SIZE, 12)
    assert 0.08 < embedding.trained.std().item() < 0.12


def test_the_seed_decides_the_weights():
    options = ModelOptions(hidden_size=4, tracker=True, tracker_size=3, classifier_width=5)
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = build_model(options, build_embedding(options, 9), 3, predicts=True)
        states.append(model.state_dict())
    torch.testing.assert_close(states[0], states[1], rtol=0, atol=0)
    name = "encoder.composition.gates.weight"
    assert not torch.equal(states[0][name], states[2][name])
