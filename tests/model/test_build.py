"""Building: the options become the model they name; words without a vector get a fitting one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spinn.extensions.gated_recursion import GatedRecursiveCell
from spinn.model.build import (
    EmbeddingOptions,
    ModelOptions,
    PretrainedOptions,
    SPINNOptions,
    build_embedding,
    build_encoder,
    build_model,
)
from spinn.model.cells import CompositionOptions, TreeLSTM
from spinn.model.fixed import FixedSPINN
from spinn.model.gumbel import GumbelTreeLSTM
from spinn.model.parser import ParsedEncoder, ParserOptions
from spinn.model.sequence import BagOfWords, SequenceLSTM
from spinn.model.spinn import SPINN, SPINNByHeight
from spinn.model.tracker import Blind, Tracker, TrackerOptions
from spinn.support.errors import ConfigurationError

SIZE, WIDTH = 200, 8
KNOWN = torch.arange(SIZE) % 4 != 0
VECTORS = 3 * torch.randn(SIZE, WIDTH, generator=torch.Generator().manual_seed(0)) * KNOWN[:, None]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("spinn", SPINNByHeight),
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
    options = ModelOptions(hidden_size=10)
    composition = CompositionOptions(name, composition_dropout=0.3)
    model = build_model(options, build_embedding(9), 3, predicts=False, composition=composition)
    assert isinstance(model.encoder.composition, kind)
    assert model.encoder.composition.dropout == 0.3
    assert model.leaves.projection.out_features == model.encoder.composition.state_size


def test_tracker_is_built_where_it_is_asked_for():
    options, size, spinn = ModelOptions(hidden_size=10), TrackerOptions(5), SPINNOptions(True)
    assert isinstance(build_encoder(options, predicts=False, tracker=size), SPINNByHeight)
    watching = build_encoder(options, predicts=False, spinn=spinn, tracker=size)
    assert isinstance(watching, SPINN)
    assert not watching.plain
    assert isinstance(watching.tracker, Tracker)
    assert watching.tracker.size == 5
    assert watching.tracker.score is None
    predicting = build_encoder(options, predicts=True, spinn=spinn, tracker=size)
    assert isinstance(predicting.tracker, Tracker)
    assert predicting.tracker.score is not None


@pytest.mark.parametrize("tracker", [False, True])
def test_the_reference_engine_goes_step_by_step_and_leaves_gradients_to_autograd(tracker):
    spinn = SPINNOptions(tracker=tracker, engine="reference")
    encoder = build_encoder(ModelOptions(hidden_size=10), predicts=False, spinn=spinn)
    assert isinstance(encoder, SPINN)
    assert encoder.plain
    assert isinstance(encoder.tracker, Tracker if tracker else Blind)


def test_the_engine_of_fixed_shapes_serves_trackers_and_tree_lstms():
    options, spinn = ModelOptions(hidden_size=10), SPINNOptions(tracker=True, engine="fixed")
    assert isinstance(build_encoder(options, predicts=True, spinn=spinn), FixedSPINN)
    apart = SPINNOptions(tracker=False, parser="own", engine="fixed")
    model = build_model(options, build_embedding(9), 3, predicts=True, spinn=apart)
    assert isinstance(model.encoder, ParsedEncoder)
    assert isinstance(model.encoder.parser.encoder, FixedSPINN)
    assert isinstance(model.encoder.composer, SPINNByHeight)
    gated = CompositionOptions("gated-recursive")
    with pytest.raises(ConfigurationError, match="tree-LSTM"):
        build_encoder(options, predicts=True, spinn=spinn, composition=gated)


@pytest.mark.parametrize("tracker", [False, True])
def test_a_parser_is_put_before_an_encoder_that_does_not_predict(tracker):
    options, spinn = ModelOptions(hidden_size=10), SPINNOptions(tracker, parser="own")
    embedding, size = build_embedding(9), ParserOptions(3)
    model = build_model(options, embedding, 3, predicts=True, spinn=spinn, parser=size)
    encoder = model.encoder
    assert isinstance(encoder, ParsedEncoder)
    assert encoder.policy is encoder.parser
    assert encoder.by_height is encoder.composer.by_height is not tracker
    assert (encoder.leaf_size, encoder.output_size) == (20, 10)
    assert encoder.parser.encoder.tracker.score is not None
    if tracker:
        assert encoder.composer.tracker.score is None
    own = encoder.parser.leaves.embedding
    assert own is not model.leaves.embedding
    assert torch.equal(own.trained, model.leaves.embedding.trained)
    given = build_model(options, embedding, 3, predicts=False, spinn=spinn, parser=size)
    assert not isinstance(given.encoder, ParsedEncoder)


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
    model = build_model(options, build_embedding(9), 5, predicts=False)
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
    options = PretrainedOptions(embeddings, unknown)
    embedding = build_embedding(SIZE, pretrained=options, vectors=VECTORS, known=KNOWN)
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
    options = PretrainedOptions("fixed", unknown)
    induced = torch.where(KNOWN[:, None], VECTORS, 0.5)
    embedding = build_embedding(SIZE, pretrained=options, vectors=induced, known=KNOWN)
    assert torch.equal(embedding(torch.arange(SIZE)).detach(), induced)
    assert torch.equal(embedding.trained_rows >= 0, ~KNOWN & (unknown == "trained"))


def test_the_table_of_pretrained_vectors_is_not_written_into():
    before = VECTORS.clone()
    build_embedding(SIZE, vectors=VECTORS, known=KNOWN)
    assert torch.equal(VECTORS, before)


def test_without_vectors_all_words_are_trained_from_small_numbers():
    torch.manual_seed(0)
    embedding = build_embedding(SIZE, EmbeddingOptions(12), PretrainedOptions("fixed"))
    assert embedding.trained.shape == (SIZE, 12)
    assert 0.08 < embedding.trained.std().item() < 0.12


def test_the_seed_decides_the_weights():
    options, spinn = ModelOptions(hidden_size=4, classifier_width=5), SPINNOptions(tracker=True)
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = build_model(options, build_embedding(9), 3, predicts=True, spinn=spinn)
        states.append(model.state_dict())
    torch.testing.assert_close(states[0], states[1], rtol=0, atol=0)
    name = "encoder.composition.gates.weight"
    assert not torch.equal(states[0][name], states[2][name])
