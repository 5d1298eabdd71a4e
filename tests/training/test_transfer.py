"""Runs that begin with the weights of a language model (``--pretrained``)."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import crew
import numpy as np
import pytest
import torch
from machine import EXACT
from messages import messages
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close
from toys import TELLTALES, WORDS, small_configuration

from spinn.commands.main import main
from spinn.data.corpus import Corpus
from spinn.data.prepare import load_corpus
from spinn.data.vocabulary import UNKNOWN
from spinn.evaluation import plots
from spinn.language.config import LanguageConfiguration
from spinn.language.pretrained import TrainedLanguageModel, load_language_model
from spinn.model.pair import PairModel
from spinn.model.types import Sentences
from spinn.pretrained import load_trained
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.training import language_run, run
from spinn.training.loop import Interruption
from spinn.training.pairs import PairTask
from spinn.training.run_directory import RunDirectory
from spinn.training.transfer import read_source, take_bias, vectors_of

WIDTH = 6
MISSING = WORDS[3]  # the word that the language models do not know
SHAPE: dict[str, Any] = {
    "unit": "word",
    "layout": "sentences",
    "embedding_size": WIDTH,
    "hidden_size": WIDTH,
    "layers": 1,
    "batch_size": 8,
    "epochs": 1,
    "learning_rate": 0.02,
    "threads": 1,
    "device": "cpu",
    "tensorboard": False,
}
MODELS: dict[str, dict[str, Any]] = {
    "equal": {},
    "wide": {"hidden_size": 9, "tied": False},
    "gru": {"cell": "gru"},
    "characters": {"unit": "char"},
    "upper case": {},
    "backward": {"direction": "backward", "embeddings_of": "equal"},
    "apart": {"direction": "backward"},
}
LEAVES = {"leaf_context": "lstm", "hidden_size": WIDTH}
BOTH = {"leaf_context": "bilstm", "hidden_size": WIDTH}
ENCODER = {"encoder": "lstm", "hidden_size": WIDTH, "leaf_norm": "none"}


@pytest.fixture(autouse=True)
def _no_plot(monkeypatch):
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Train the language models above."""
    folder, random = tmp_path_factory.mktemp("sources"), np.random.default_rng(0)
    known = [word for word in (*WORDS, *TELLTALES.values()) if word != MISSING]
    lines = [" ".join(random.choice(known, size=5)) + "\n" for _ in range(40)]
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "plot_learning_curve", lambda *arguments: None)
        for name, options in MODELS.items():
            text = "".join(lines)
            file, found[name] = folder / f"{name}.txt", folder / name.replace(" ", "-")
            file.write_text(text.upper() if name == "upper case" else text)
            if "embeddings_of" in options:
                options = options | {"embeddings_of": str(found[options["embeddings_of"]])}
            configuration = LanguageConfiguration.resolve(SHAPE, {"text": [str(file)]}, options)
            language_run.train_language_model(configuration, found[name])
    return found


def built(folder: Path, source: Path, **options: Any) -> tuple[PairModel, Corpus]:
    """Build the model with which a run begins, and its corpus."""
    configuration = small_configuration(
        folder, **{"embedding_size": 100, "pretrained": str(source), **options}
    )
    corpus, models = load_corpus(configuration.data), read_source(configuration)
    assert models is not None
    corpus = replace(corpus, vectors=vectors_of(models, corpus))
    return run._build(configuration, corpus, models), corpus


def stored(path: Path, which: str = "last") -> dict[str, Tensor]:
    return load_file(RunDirectory.open(path).checkpoint(which) / "weights.safetensors")


def expected_embeddings(source: TrainedLanguageModel, words: list[str]) -> Tensor:
    rows = torch.from_numpy(source.vocabulary.numbers(words)).long()
    return source.model.embedding.weight.detach()[rows]


# What a run begins with.


def test_embeddings_are_matched_by_word_and_others_are_drawn(toy_folder, sources):
    model, corpus = built(toy_folder, sources["equal"], pretrained_parts="embeddings")
    source = load_language_model(sources["equal"])
    words = corpus.vocabulary.words
    table = model.leaves.embedding(torch.arange(len(words))).detach()
    assert table.shape[1] == WIDTH
    matched = [number for number, word in enumerate(words) if word in source.vocabulary.words[2:]]
    assert {MISSING, "<unk>", "<pad>"} == set(words) - {words[number] for number in matched}
    own = expected_embeddings(source, [words[number] for number in matched])
    assert torch.equal(table[matched], own)
    drawn = table[words.index(MISSING)]
    assert not (drawn == source.model.embedding.weight).all(dim=1).any()
    assert 0 < drawn.abs().max() < 5 * own.std()


def test_the_unknown_word_is_matched_if_the_text_had_unknown_words(toy_folder, tmp_path, sources):
    path = Path(shutil.copytree(sources["equal"], tmp_path / "source"))
    described = json.loads((path / "config.json").read_text())
    described["data"]["minimum_count"] = 2
    (path / "config.json").write_text(json.dumps(described))
    model, _ = built(toy_folder, path, pretrained_parts="embeddings")
    own = load_language_model(path).model.embedding.weight[UNKNOWN]
    assert torch.equal(model.leaves.embedding(torch.tensor([UNKNOWN]))[0], own)


@pytest.mark.parametrize("source", ["equal", "wide"])
def test_the_lstm_below_the_leaves_begins_as_the_first_layer(toy_folder, sources, source):
    width = MODELS[source].get("hidden_size", WIDTH)
    model, _ = built(toy_folder, sources[source], leaf_context="lstm", hidden_size=width)
    layer = load_language_model(sources[source]).model.layers[0].state_dict()
    assert model.leaves.context is not None
    for name, weight in model.leaves.context.state_dict().items():
        assert torch.equal(weight, layer[name])


def test_both_directions_begin_with_the_states_of_two_language_models(toy_folder, sources):
    options = {**BOTH, "pretrained_backward": str(sources["backward"])}
    model, corpus = built(toy_folder, sources["equal"], **options)
    sentence = [word for word in WORDS if word != MISSING][:4]
    words = torch.from_numpy(corpus.vocabulary.numbers(sentence)).long()[:, None]
    sentences = Sentences(torch.tensor([4]), words=words)
    assert model.leaves.context is not None
    states = model.leaves.context(model.leaves.embedding(words[:, 0]), sentences)
    for name, found, read in [
        ("equal", states[:, :WIDTH], sentence),
        ("backward", states[:, WIDTH:].flip(0), sentence[::-1]),
    ]:
        source = load_language_model(sources[name])
        numbers = torch.from_numpy(source.vocabulary.numbers(read)).long()[:, None]
        assert_close(found, source.model(numbers).raw[:, 0])


def test_the_lstm_encoder_begins_with_the_states_of_the_language_model(toy_folder, sources):
    model, corpus = built(toy_folder, sources["equal"], **ENCODER)
    source = load_language_model(sources["equal"])
    sentence = [word for word in WORDS if word != MISSING][:4]
    words = torch.from_numpy(corpus.vocabulary.numbers(sentence)).long()[:, None]
    leaves = model.eval().leaves(Sentences(torch.tensor([4]), words=words))
    found, _ = model.encoder.lstm(leaves.packed)
    numbers = torch.from_numpy(source.vocabulary.numbers(sentence)).long()[:, None]
    assert_close(found.data, source.model(numbers).raw[:, 0])


@pytest.mark.parametrize("source", ["equal", "wide"])
def test_the_loss_of_the_next_word_begins_with_the_bias_of_a_tied_decoder(
    toy_folder, sources, source
):
    options = {**LEAVES, "pretrained_parts": "embeddings"}
    model, corpus = built(toy_folder, sources[source], **options)
    options |= {"pretrained": str(sources[source]), "embedding_size": 100, "language_weight": 0.1}
    configuration = small_configuration(toy_folder, **options)
    models, loss = read_source(configuration), PairTask(configuration, corpus, model).objective
    assert models is not None
    assert loss.next_word is not None
    take_bias(loss.next_word, corpus, models)
    own = load_language_model(sources[source])
    for word, bias in zip(corpus.vocabulary.words, loss.next_word.bias, strict=True):
        if source == "wide" or word in (MISSING, "<unk>", "<pad>"):
            assert bias == 0
        else:
            assert bias == own.model.bias[own.vocabulary.numbers([word])[0]] != 0


def test_a_run_begins_with_the_bias_of_the_language_model(toy_folder, sources, tmp_path):
    options = {**LEAVES, "language_weight": 0.1, "embedding_size": 100, "learning_rate": 0.0}
    run.train(
        small_configuration(toy_folder, pretrained=str(sources["equal"]), **options),
        tmp_path / "run",
    )
    state = RunDirectory.open(tmp_path / "run").training_state()["objective"]
    assert state.keys() == {"next_word.bias"}  # equal widths need no map
    assert (state["next_word.bias"] != 0).sum() == len(WORDS) - 1 + len(TELLTALES)


# Training.


@pytest.mark.parametrize("kind", [LEAVES, ENCODER], ids=["leaves", "encoder"])
def test_frozen_weights_do_not_move_and_the_others_do(toy_folder, sources, tmp_path, kind):
    options = {**kind, "pretrained_freeze": True, "weight_decay": 0.1, "embedding_size": 100}
    configuration = small_configuration(toy_folder, pretrained=str(sources["equal"]), **options)
    run.train(configuration, tmp_path / "run")
    trained = load_trained(tmp_path / "run", "last")
    before, source = built(toy_folder, sources["equal"], **options)[0], sources["equal"]
    layer = load_language_model(source).model.layers[0].state_dict()
    lstm = trained.model.leaves.context if kind is LEAVES else trained.model.encoder.lstm
    for name, weight in lstm.state_dict().items():
        assert torch.equal(weight, layer[name])
    known = [word for word in WORDS if word != MISSING]
    numbers = torch.from_numpy(trained.vocabulary.numbers(known)).long()
    own = expected_embeddings(load_language_model(source), known)
    assert torch.equal(trained.model.leaves.embedding(numbers), own)
    moved = {n for n, w in before.state_dict().items() if not w.equal(stored(tmp_path / "run")[n])}
    assert {"leaves.projection.weight", "leaves.embedding.trained"} <= moved


def test_parts_are_unfrozen_one_after_the_other(toy_folder, sources, tmp_path, monkeypatch):
    """The LSTM is trained from the second epoch on, the embeddings from the third."""
    ends: list[dict[str, Tensor]] = []
    begin = PairTask.begin_epoch

    def begun(task: PairTask, epoch: int) -> None:
        ends.append({name: w.detach().clone() for name, w in task.model.named_parameters()})
        begin(task, epoch)

    monkeypatch.setattr(PairTask, "begin_epoch", begun)
    options = {**LEAVES, "pretrained_unfreeze": 1, "epochs": 3, "embedding_size": 100}
    configuration = small_configuration(toy_folder, pretrained=str(sources["equal"]), **options)
    with messages() as lines:
        run.train(configuration, tmp_path / "run")
    ends.append(stored(tmp_path / "run"))
    lstm, table, other = (
        [not before[name].equal(after[name].cpu()) for before, after in pairwise(ends)]
        for name in (
            "leaves.context.weight_hh_l0",
            "leaves.embedding.trained",
            "leaves.projection.weight",
        )
    )
    assert lstm == [False, True, True]
    assert table == [False, False, True]
    assert other == [True, True, True]
    assert [line for line in lines if line.startswith("Unfreezing")] == [
        "Unfreezing the pretrained LSTM.",
        "Unfreezing the pretrained embeddings.",
    ]


def test_what_is_taken_has_a_learning_rate_of_its_own(toy_folder, sources):
    model, corpus = built(toy_folder, sources["equal"], **LEAVES)
    for rate, shares in [(0.1, [1.0, 0.1]), (1.0, [1.0])]:
        configuration = small_configuration(
            toy_folder,
            **LEAVES,
            pretrained=str(sources["equal"]),
            pretrained_rate=rate,
            embedding_size=100,
        )
        groups = PairTask(configuration, corpus, model).make_optimizer().param_groups
        assert [group["peak"] for group in groups] == [0.01 * share for share in shares]
        counts = sum(len(group["params"]) for group in groups)
        assert counts == len(list(model.parameters()))
        if rate != 1:
            taken = [*model.leaves.context.parameters(), *model.leaves.embedding.parameters()]
            assert {id(w) for w in groups[1]["params"]} == {id(w) for w in taken}


OWN_PARSER = {"parser": "own", "parser_size": 5, "tracker_size": 4}
LEARNED_TREES = {
    "predicted": {**OWN_PARSER, "trees": "predicted", "teacher": "left"},
    "sampled": {**OWN_PARSER, "trees": "sampled", "policy_updates": 2, "policy_epochs": 2},
}


@pytest.mark.parametrize("trees", list(LEARNED_TREES))
@pytest.mark.parametrize(
    "options", [{"pretrained_unfreeze": 1}, {"pretrained_rate": 0.0}, {"pretrained_freeze": True}]
)
def test_the_embeddings_of_a_parser_apart_are_held_too(
    toy_folder, sources, tmp_path, options, trees
):
    configuration = small_configuration(
        toy_folder,
        **LEAVES,
        **LEARNED_TREES[trees],
        **options,
        pretrained=str(sources["equal"]),
        embedding_size=100,
        epochs=3,
    )
    begun: dict[str, Tensor] = {}

    def stop(task: PairTask, epoch: int) -> None:
        if epoch == 1:  # the embeddings are unfrozen in the third epoch
            after = task.model.state_dict()
            moved = {name for name, weight in begun.items() if not weight.equal(after[name])}
            assert "encoder.parser.leaves.projection.weight" in moved
            own = {name for name in moved if ".embedding." in name or ".context." in name}
            assert own <= {"leaves.embedding.trained", "encoder.parser.leaves.embedding.trained"}
            assert not own or "pretrained_freeze" in options  # words that are not known
            raise InterruptedError
        begun.update({name: w.clone() for name, w in task.model.state_dict().items()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PairTask, "begin_epoch", after_call(PairTask.begin_epoch, stop))
        with pytest.raises(InterruptedError):
            run.train(configuration, tmp_path / "run")


def after_call(call: Any, act: Any) -> Any:
    def both(*arguments: Any) -> None:
        call(*arguments)
        act(*arguments)

    return both


RESUMED: dict[str, dict[str, Any]] = {
    "frozen": {**LEAVES, "pretrained_freeze": True},
    "unfrozen": {**LEAVES, "pretrained_unfreeze": 1, "epochs": 3},
    "encoder": {**ENCODER, "pretrained_rate": 0.1},
    "both": BOTH,
}


@pytest.mark.parametrize("name", list(RESUMED))
@pytest.mark.parametrize("step", [3, 8])
def test_a_run_is_resumed_and_evaluated_without_the_language_model(
    name, step, toy_folder, sources, tmp_path, monkeypatch
):
    source = Path(shutil.copytree(sources["equal"], tmp_path / "source"))
    options = {**RESUMED[name], "pretrained": str(source), "embedding_size": 100}
    if name == "both":
        options["pretrained_backward"] = str(sources["backward"])
    configuration = small_configuration(toy_folder, **options)
    run.train(configuration, tmp_path / "whole")
    forward, steps = PairTask.forward, iter(range(1, 10**6))

    def stopping(task: PairTask, *arguments: Any) -> Any:
        if next(steps) == step:
            signal.raise_signal(signal.SIGINT)
        return forward(task, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(PairTask, "forward", stopping)
        with pytest.raises(Interruption):
            run.train(configuration, tmp_path / "run")
    shutil.rmtree(source)
    run.resume(tmp_path / "run")
    for which in ("last", "best"):
        one, other = stored(tmp_path / "run", which), stored(tmp_path / "whole", which)
        for key, value in one.items():
            if EXACT:
                assert torch.equal(value, other[key]), (which, key)
            else:
                assert_close(value, other[key], rtol=1e-3, atol=1e-4)
    trained = load_trained(tmp_path / "run")
    assert trained.configuration.transfer is not None
    assert trained.configuration.transfer.pretrained == str(source)


def test_a_backward_model_has_the_embeddings_of_the_other(sources):
    one, other = (load_language_model(sources[name]) for name in ("equal", "backward"))
    assert one.vocabulary == other.vocabulary
    for which in ("best", "last"):
        model = load_language_model(sources["backward"], which).model
        assert torch.equal(model.embedding.weight, one.model.embedding.weight)
    assert not torch.equal(one.model.bias, other.model.bias)


def test_two_processes_train_the_model_that_one_would(toy_folder, sources, tmp_path):
    options = {**RESUMED["unfrozen"], "pretrained": str(sources["equal"]), "embedding_size": 100}
    options |= {"embedding_dropout": 0.0, "leaf_dropout": 0.0, "classifier_dropout": 0.0}
    crew.all_well(2, crew.train, toy_folder, tmp_path / "two", options)
    run.train(crew.on_cpu(toy_folder, **options), tmp_path / "one")
    one, two = stored(tmp_path / "one"), stored(tmp_path / "two")
    for name, weight in one.items():
        assert_close(two[name], weight, rtol=0, atol=1e-6, msg=name)


# What is refused.


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (
            "wide",
            {"leaf_context": "lstm"},
            "below the leaves has width 8, that of .* 9: give",
        ),
        ("wide", {**ENCODER, "hidden_size": 9}, r"first layer of .* maps width 6 to 9; train"),
        ("equal", {**ENCODER, "hidden_size": 8}, "LSTM encoder has width 8, that of .* 6: give"),
        ("gru", LEAVES, "has GRU layers"),
        ("characters", LEAVES, "is a language model of characters; give one of words"),
        ("upper case", LEAVES, "knows no word of the training files"),
        ("none", LEAVES, "this is no run"),
        ("backward", LEAVES, "backward reads backward; give .* --direction forward"),
        ("equal", {**BOTH, "pretrained_backward": "equal"}, "give .* --direction backward"),
        ("equal", {**BOTH, "pretrained_backward": "apart"}, "apart has other embeddings than"),
    ],
)
def test_a_language_model_that_does_not_fit_is_refused(
    toy_folder, sources, tmp_path, source, options, message
):
    path = sources.get(source, tmp_path / "none")
    options = {"pretrained": str(path), "embedding_size": 100, **options}
    if "pretrained_backward" in options:
        options["pretrained_backward"] = str(sources[options["pretrained_backward"]])
    with pytest.raises(SpinnError, match=message):
        run.train(small_configuration(toy_folder, **options), tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "bow"}, "no LSTM here that can take the layer of --pretrained"),
        ({}, "no LSTM here that can take the layer of --pretrained"),
        ({"leaf_context": "aligned", "encoder": "lstm"}, "no LSTM here"),
        ({"encoder": "bilstm"}, "no LSTM here"),
        (BOTH, "give the other with --pretrained-backward"),
        ({**LEAVES, "pretrained_backward": "RUN"}, "it belongs to --leaf-context bilstm"),
        (
            {**BOTH, "pretrained_backward": "RUN", "pretrained_parts": "embeddings"},
            "--pretrained-backward does nothing here; it belongs to --leaf-context bilstm with",
        ),
        ({"encoder": "lstm"}, "give --leaf-norm none"),
        ({**LEAVES, "vectors": "some.txt"}, "--vectors and --pretrained both give word vectors"),
        ({**LEAVES, "pretrained_unfreeze": 1}, "frozen for 2 epochs of 2"),
        (
            {**LEAVES, "pretrained_unfreeze": 1, "pretrained_freeze": True},
            "--pretrained-unfreeze does nothing here; --pretrained-freeze keeps",
        ),
        ({**LEAVES, "embedding_size": 7}, "--embedding-size does nothing here"),
    ],
)
def test_options_without_effect_are_refused(toy_folder, options, message):
    options = {"pretrained": "RUN", "embedding_size": 100, **options}
    with pytest.raises(ConfigurationError, match=message):
        small_configuration(toy_folder, **options)


def test_a_prepared_corpus_with_vectors_is_refused(toy_folder, sources, tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("word1 1 2 3\nword2 4 5 6\n")
    arguments = ["prepare", str(tmp_path / "prepared"), "--data", str(toy_folder), "--no-cache"]
    assert main([*arguments, "--vectors", str(vectors)]) == 0
    options = {**LEAVES, "pretrained": str(sources["equal"]), "embedding_size": 100}
    options = {"minimum_count": None, **options}
    configuration = small_configuration(tmp_path / "prepared", **options)
    with pytest.raises(ConfigurationError, match="the prepared corpus has vectors of its own"):
        run.train(configuration, tmp_path / "run")
