"""Trained models as folders: saved, loaded, moved from earlier versions, and damaged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from toys import FORMS, small_configuration, small_model, write_corpus, write_expressions

from spinn import pretrained
from spinn.data.examples import SENTENCE
from spinn.data.prepare import load_corpus
from spinn.data.vocabulary import Vocabulary
from spinn.pretrained import (
    Interface,
    TrainedModel,
    load_trained,
    read_results,
    save_trained,
)
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.training import run
from spinn.weights import present_names, read_weights

ROOT = Path(__file__).parents[1]
OWN_PARSER = {"parser": "own", "parser_size": 5, "tracker_size": 4, "trees": "sampled"}
CASES: dict[str, dict[str, Any]] = {
    **FORMS,
    "own parser": OWN_PARSER,
    "own parser, aligned": {**OWN_PARSER, "leaf_context": "aligned"},
    "LSTM": {"encoder": "lstm"},
    "bag of words": {"encoder": "bow"},
    "batch norm": {"leaf_norm": "batch", "classifier_norm": "batch"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("pairs"))


def make_trained(folder: Path, **options: Any) -> TrainedModel:
    """Return a model with random weights."""
    configuration = small_configuration(folder, **options)
    corpus = load_corpus(configuration.data)
    torch.manual_seed(5)
    model = small_model(configuration, corpus).eval().cpu()
    return TrainedModel(model, configuration, corpus.vocabulary, corpus.labels, corpus.format)


def same_weights(one: TrainedModel, other: TrainedModel) -> bool:
    first, second = one.model.state_dict(), other.model.state_dict()
    return list(first) == list(second) and all(torch.equal(first[n], second[n]) for n in first)


@pytest.mark.parametrize("name", CASES)
def test_a_saved_model_is_loaded_as_it_was(folder, tmp_path, name):
    trained = make_trained(folder, **CASES[name])
    save_trained(trained, tmp_path / "model")
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert names == ["config.json", "vocabulary.json", "weights.safetensors"]
    loaded = load_trained(tmp_path / "model")
    assert same_weights(trained, loaded)
    assert not loaded.model.training
    assert loaded.configuration == trained.configuration
    assert loaded.vocabulary == trained.vocabulary
    assert (loaded.labels, loaded.kind, loaded.format) == (trained.labels, trained.kind, "auto")


def test_a_model_of_single_sentences_is_loaded_as_one(tmp_path):
    corpus = write_expressions(tmp_path / "expressions")
    save_trained(make_trained(corpus), tmp_path / "model")
    assert load_trained(tmp_path / "model").kind.name == "sentence"


def test_the_folder_of_a_run_is_one_of_a_model(folder, tmp_path):
    run.train(small_configuration(folder, epochs=1), tmp_path / "run")
    trained = load_trained(tmp_path / "run", "last")
    save_trained(trained, tmp_path / "model")
    assert same_weights(trained, load_trained(tmp_path / "model"))


def test_the_shipped_model_has_no_revisions():
    with pytest.raises(ConfigurationError, match="snli-79k has no revisions"):
        load_trained(Path("snli-79k"), revision="v1")


def test_an_existing_folder_is_not_overwritten(folder, tmp_path):
    with pytest.raises(SpinnError, match="it exists already"):
        save_trained(make_trained(folder), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(SpinnError, match="the model cannot be written"):
        save_trained(make_trained(folder), tmp_path / "file" / "model")


@pytest.mark.parametrize("name", CASES)
def test_weights_saved_in_bfloat16_are_loaded_as_float32(folder, tmp_path, name):
    trained = make_trained(folder, **CASES[name])
    save_trained(trained, tmp_path / "model", dtype=torch.bfloat16)
    saved = read_weights(tmp_path / "model" / "weights.safetensors")
    loaded = load_trained(tmp_path / "model").model.state_dict()
    for key, value in trained.model.state_dict().items():
        exact = not value.is_floating_point()
        assert saved[key].dtype == (value.dtype if exact else torch.bfloat16)
        assert loaded[key].dtype == value.dtype
        assert torch.equal(loaded[key], value if exact else value.bfloat16().float())


def test_weights_beyond_the_range_of_a_type_are_not_saved(folder, tmp_path):
    trained = make_trained(folder)
    trained.model.classifier.layers[0].bias.data[0] = 1e5
    for dtype, message in (
        (torch.float16, r"bias exceeds the range of torch\.float16"),
        (torch.float8_e4m3fn, r"saved as torch\.float8"),
        (torch.int8, r"saved as torch\.int8"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            save_trained(trained, tmp_path / "model", dtype=dtype)
    assert list(tmp_path.iterdir()) == []
    save_trained(trained, tmp_path / "model", dtype=torch.bfloat16)


def test_the_figures_of_a_run_are_those_of_its_best_model(folder, tmp_path):
    run.train(small_configuration(folder, epochs=2), tmp_path / "run")
    best, last = (load_trained(tmp_path / "run", which) for which in ("best", "last"))
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert read_results(best) == results
    assert read_results(last) is None
    save_trained(best, tmp_path / "model")
    for which in ("best", "last"):
        assert read_results(load_trained(tmp_path / "model", which)) == results
    (tmp_path / "model" / "results.json").write_text("[")
    with pytest.raises(DataError, match="Delete it to go on without the figures"):
        read_results(load_trained(tmp_path / "model"))


def test_a_model_that_cannot_be_written_leaves_nothing(folder, tmp_path, monkeypatch):
    def full_disk(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spinn.support.tensor_files.save_file", full_disk)
    with pytest.raises(SpinnError, match="No space left"):
        save_trained(make_trained(folder), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


# Folders of earlier versions.


def former_names(weights: dict[str, Any]) -> dict[str, Any]:
    """Return weights in the names that earlier versions had for a parser apart."""
    renamed = {}
    for name, value in weights.items():
        if name.startswith("encoder.parser."):
            name = name.removeprefix("encoder.")
        elif name.startswith("encoder.composer."):
            name = name.replace("encoder.composer.", "encoder.")
        renamed[name] = value
    return renamed


FORMER = {
    "leaves.embedding.trained": "leaves.embedding.trained",
    "encoder.composition.gates.weight": "encoder.composer.composition.gates.weight",
    "classifier.layers.0.bias": "classifier.layers.0.bias",
    "parser.leaves.norm.weight": "encoder.parser.leaves.norm.weight",
    "parser.encoder.tracker.score.bias": "encoder.parser.encoder.tracker.score.bias",
}


def test_former_names_of_a_parser_apart_are_mapped():
    weights = {name: torch.tensor(number) for number, name in enumerate(FORMER)}
    mapped = present_names(weights)
    assert list(mapped) == list(FORMER.values())
    assert [int(value) for value in mapped.values()] == list(range(len(FORMER)))
    assert present_names(mapped) == mapped


def test_names_of_an_encoder_without_a_parser_apart_are_kept():
    weights = {"encoder.composition.gates.weight": torch.ones(1), "leaves.norm.bias": torch.ones(1)}
    assert present_names(weights) == weights


@pytest.mark.parametrize("name", ["own parser", "own parser, aligned"])
def test_weights_in_former_names_are_loaded(folder, tmp_path, name):
    trained = make_trained(folder, **CASES[name])
    save_trained(trained, tmp_path / "model")
    place = tmp_path / "model" / "weights.safetensors"
    weights = former_names(read_weights(place))
    assert any(name.startswith("parser.encoder.tracker") for name in weights)
    save_file(weights, place)
    assert same_weights(trained, load_trained(tmp_path / "model"))


def test_vocabularies_of_early_versions_are_of_pairs_in_the_configured_format(folder, tmp_path):
    save_trained(make_trained(folder, format="snli"), tmp_path / "model")
    place = tmp_path / "model" / "vocabulary.json"
    content = json.loads(place.read_text())
    del content["sides"], content["format"]
    place.write_text(json.dumps(content))
    loaded = load_trained(tmp_path / "model")
    assert loaded.kind.name == "pair"
    assert loaded.format == "snli"


# Damage.


def test_weights_that_do_not_fit_are_refused(folder, tmp_path):
    save_trained(make_trained(folder), tmp_path / "model")
    place = tmp_path / "model" / "weights.safetensors"
    weights = read_weights(place)
    weights["encoder.more"] = torch.zeros(1)
    save_file(weights, place)
    with pytest.raises(DataError, match="belong to another configuration") as caught:
        load_trained(tmp_path / "model")
    assert caught.value.path == place
    save_file({"encoder.more": torch.zeros(1)}, place)
    with pytest.raises(DataError, match=r"it has no .leaves\.embedding"):
        load_trained(tmp_path / "model")


def test_an_interface_is_read_back_with_words_outside_ascii(tmp_path):
    vocabulary = Vocabulary(["<unk>", "<pad>", "naïve–日本"], lower=False)
    interface = Interface(vocabulary, ("yes", "no"), SENTENCE, "logic-brackets")
    pretrained.write_description(tmp_path, {}, interface.as_dict())
    assert pretrained.read_interface(tmp_path) == interface


# Use.


@pytest.mark.parametrize(
    ("options", "trees", "message"),
    [
        ({"encoder": "lstm"}, "left", "LSTM is a model without trees"),
        ({"encoder": "gumbel"}, "left", "Gumbel Tree-LSTM builds its own trees"),
        ({}, "predicted", "needs a tracker"),
        ({}, "none", "choose from"),
    ],
)
def test_trees_that_a_model_cannot_follow_are_refused(folder, options, trees, message):
    with pytest.raises(ConfigurationError, match=message):
        make_trained(folder, **options).tree_source(trees)


def test_the_source_of_trees_is_the_models_own_by_default(folder):
    own = make_trained(folder, **FORMS["SPINN"])
    for name, found in ((None, "predicted"), ("left", "left"), ("sampled", "sampled")):
        source = own.tree_source(name)
        assert source is not None
        assert source.name == found
    assert make_trained(folder, encoder="bow").tree_source() is None


def test_a_trained_model_is_used_without_the_training_loop():
    """Loading and predicting import the configuration, but no loop, task or optimiser."""
    code = (
        "import sys; import spinn.predictor; "
        "loaded = [name for name in sys.modules if name.startswith('spinn.training')]; "
        "print([n for n in loaded if n.rpartition('.')[2] in "
        "('run', 'loop', 'pairs', 'task', 'state', 'optimizers', 'run_directory', 'log')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
