"""The configuration: files and flags resolved, and every option refused where it is of no use."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from spinn.errors import ConfigurationError, DataError
from spinn.options import flag_of
from spinn.training.config import (
    GROUPS,
    Configuration,
    flatten,
    load_configuration,
    option_groups,
    preset_names,
    read_file,
    read_preset,
    resolve,
)
from spinn.trees import TREE_SOURCES

FIELDS = {part.name: part for group in GROUPS.values() for part in dataclasses.fields(group)}
CONDITIONAL = [name for name, part in FIELDS.items() if part.metadata["needs"]]

PREDICT = {"trees": "predicted", "tracker": True}
RL = {"trees": "sampled", "tracker": True}
# A folder that passes for a prepared corpus.
PREPARED = tempfile.TemporaryDirectory()
Path(PREPARED.name, "corpus.json").touch()
# For each need: options under which it does not hold, and options under which it does.
NEEDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "spinn": ({"encoder": "lstm"}, {}),
    "gumbel": ({}, {"encoder": "gumbel"}),
    "composition": ({"encoder": "lstm"}, {"encoder": "gumbel"}),
    "states": ({"encoder": "bow"}, {"encoder": "bilstm"}),
    "tracker": ({}, {"tracker": True}),
    "curriculum": ({}, {"curriculum": 0.5}),
    "texts": ({"data": PREPARED.name}, {}),
    "vectors": ({}, {"vectors": "some.txt"}),
    "vector file": ({}, {"vectors": "some.txt"}),
    "classifier layers": ({"classifier_layers": 0}, {}),
    "pairs": ({"token_budget": 50}, {}),
    "no vectors": ({"vectors": "some.txt"}, {}),
    "fixed vectors": ({"vectors": "some.txt"}, {"vectors": "some.txt", "embeddings": "fixed"}),
    "predict": (RL, PREDICT),
    "teacher": (RL, PREDICT),
    "chosen trees": ({}, PREDICT),
    "parser": (RL, RL | {"parser": "own"}),
    "rl": (PREDICT, RL),
    "rl of a parser": (RL, RL | {"parser": "own"}),
    "entropy epochs": (RL | {"entropy_weight_end": 0.02}, RL),
    "ppo": (RL, RL | {"policy_updates": 2}),
    "sgd": ({}, {"optimizer": "sgd"}),
    "cosine": ({"schedule": "step"}, {"schedule": "cosine"}),
    "decay": ({"schedule": "constant"}, {"schedule": "plateau"}),
    "decay steps": ({"schedule": "plateau"}, {"schedule": "exponential"}),
}


def default_of(name: str) -> Any:
    part = FIELDS[name]
    if part.default_factory is not dataclasses.MISSING:
        return part.default_factory()
    return part.default


def another_value(name: str) -> Any:
    """Find a legal value of an option that is not its default."""
    rules, default = FIELDS[name].metadata, default_of(name)
    choices = FIELDS[name].metadata["choices"]
    if choices:
        return next(choice for choice in choices if choice != default)
    if isinstance(default, bool):
        return not default
    if isinstance(default, list):
        return ["name=some.txt"]
    if default is None:
        kind = str(FIELDS[name].type).removesuffix(" | None")
        return {"str": "some.txt", "int": 5, "float": 0.5}[kind]
    low = rules["minimum"] or 0
    for value in (default + 1, (default + low) / 2, rules["maximum"]):
        if value != default and (rules["maximum"] is None or value <= rules["maximum"]):
            return type(default)(value)
    raise AssertionError(f"no second value of {name} found")


# Defaults and names.


def test_defaults_are_valid_and_train_the_simplest_form():
    configuration = Configuration()
    assert configuration == resolve()
    assert configuration.form == "SPINN-PI-NT"
    assert configuration.source is not None
    assert configuration.source.name == "gold"
    assert configuration.teacher is None
    assert not configuration.predicts


def test_every_option_has_help_and_a_name_that_no_other_has():
    names = [part.name for group in GROUPS.values() for part in dataclasses.fields(group)]
    assert len(names) == len(set(names))
    assert set(option_groups()) == set(names)
    for name, part in FIELDS.items():
        assert part.metadata["help"], name
        default, choices = default_of(name), part.metadata["choices"]
        if choices and default is not None:
            assert default in choices, name


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ({}, "SPINN-PI-NT"),
        ({"trees": "left"}, "SPINN-PI-NT"),
        ({"tracker": True}, "SPINN-PI"),
        ({"tracker": True, "trees": "random"}, "SPINN-PI"),
        (PREDICT, "SPINN"),
        (RL, "RL-SPINN"),
        ({"encoder": "gumbel"}, "Gumbel Tree-LSTM"),
        ({"encoder": "lstm"}, "LSTM"),
        ({"encoder": "bilstm"}, "BiLSTM"),
        ({"encoder": "bow"}, "bag of words"),
    ],
)
def test_forms_have_their_published_names(options, form):
    configuration = resolve(options)
    assert configuration.form == form
    assert configuration.predicts == (form in ("SPINN", "RL-SPINN"))


def test_teacher_is_there_where_transitions_are_learned_from_one():
    assert resolve(PREDICT).teacher.name == "gold"
    assert resolve(PREDICT, {"teacher": "left"}).teacher.name == "left"
    assert resolve(RL).teacher is None
    assert resolve(RL, {"warm_start": 0.5, "teacher": "right"}).teacher.name == "right"
    assert resolve({"encoder": "gumbel"}).teacher is None
    assert resolve({"encoder": "bow"}).source is None


def test_an_encoder_that_builds_its_own_trees_takes_no_others():
    own = resolve({"encoder": "gumbel"}).source
    assert own is not None
    assert own.chosen_by_model
    for trees in TREE_SOURCES:
        with pytest.raises(ConfigurationError, match="--trees does nothing here; it belongs to"):
            resolve({"encoder": "gumbel", "trees": trees})
    for option in ({"tracker": True}, {"engine": "reference"}, {"samples": 2}):
        with pytest.raises(ConfigurationError, match="does nothing here"):
            resolve({"encoder": "gumbel"}, option)


def test_ppo_wants_a_policy_that_nothing_but_its_updates_changes():
    both = {"policy_updates": 2, "composition_dropout": 0.1}
    with pytest.raises(ConfigurationError, match="give --parser own"):
        resolve(RL, both)
    assert resolve(RL, both, {"parser": "own"}).policy.policy_updates == 2


def test_temperatures_are_positive():
    for name in ("temperature", "temperature_end"):
        with pytest.raises(ConfigurationError, match=f"^{flag_of(name)} is 0.0; it must be at"):
            resolve({"encoder": "gumbel", name: 0.0})


# Layers.


def test_later_layers_win_and_earlier_ones_stay_where_they_are_silent():
    first = {"hidden_size": 10, "epochs": 3}
    second = {"hidden_size": 20, "batch_size": 7}
    configuration = resolve(first, second, {"seed": 9})
    assert configuration.model.hidden_size == 20
    training = configuration.training
    assert (training.epochs, training.batch_size, training.seed) == (3, 7, 9)
    assert training.learning_rate == default_of("learning_rate")


def test_layers_are_judged_together_not_one_by_one():
    layers = [{"trees": "sampled"}, {"tracker": True}, {"baseline": "leave-one-out"}]
    assert resolve(*layers, {"samples": 2}).form == "RL-SPINN"


def test_whole_numbers_become_floats_where_floats_are_wanted():
    rate = resolve({"learning_rate": 1}).training.learning_rate
    assert isinstance(rate, float)


@pytest.mark.parametrize("configuration", [resolve(), resolve(RL, {"samples": 3, "train": ["a"]})])
def test_as_dict_brings_the_configuration_back(configuration):
    description = configuration.as_dict()
    assert set(description) == set(GROUPS)
    assert resolve(flatten(json.loads(json.dumps(description)))) == configuration


# Refusals.


def test_unknown_option_is_named():
    with pytest.raises(ConfigurationError, match=r"There is no option called 'hiden_size'\."):
        resolve({"hiden_size": 3})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", 2.5),
        ("hidden_size", "200"),
        ("hidden_size", True),
        ("hidden_size", None),
        ("learning_rate", "fast"),
        ("learning_rate", False),
        ("tracker", 1),
        ("tracker", "yes"),
        ("encoder", 3),
        ("train", "one.jsonl"),
        ("train", ["one.jsonl", 2]),
        ("trees", ["left"]),
    ],
)
def test_values_of_the_wrong_type_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=rf"The option {name} is .*; it must be of type"):
        resolve({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", 0),
        ("epochs", 0),
        ("batch_size", -1),
        ("learning_rate", -1e-3),
        ("learning_rate", float("nan")),
        ("classifier_dropout", 1.0),
        ("warmup", 0.95),
        ("label_smoothing", 1.5),
        ("encoder", "gru"),
        ("optimizer", "Adam"),
        ("trees", "upside-down"),
        ("precision", "fp16"),
        ("format", "csv"),
    ],
)
def test_values_out_of_range_are_refused_by_their_flag(name, value):
    with pytest.raises(ConfigurationError, match=rf"^{flag_of(name)} (is|cannot be) "):
        resolve({name: value})


def test_every_need_is_covered_here():
    assert {FIELDS[name].metadata["needs"] for name in CONDITIONAL} == set(NEEDS)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_an_option_that_would_do_nothing_is_refused(name):
    without, _ = NEEDS[FIELDS[name].metadata["needs"]]
    value = another_value(name)
    if name in ("trees", "tracker"):
        without = {"encoder": "lstm"}
    with pytest.raises(ConfigurationError, match=rf"^{flag_of(name)} does nothing here; .+\.$"):
        resolve(without, {name: value})


@pytest.mark.parametrize("name", CONDITIONAL)
def test_an_option_is_taken_where_it_does_something(name):
    _, holds = NEEDS[FIELDS[name].metadata["needs"]]
    group, value = option_groups()[name], another_value(name)
    configuration = resolve(holds, {name: value})
    assert getattr(configuration.groups()[group], name) == value


@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_default_written_out_is_never_refused(name):
    without, _ = NEEDS[FIELDS[name].metadata["needs"]]
    given = {name: default_of(name)} if name not in without else {}
    assert resolve(given, without) == resolve(without)


def test_a_curriculum_comes_to_its_end_before_training_does():
    begun = {"curriculum": 0.5, "curriculum_epochs": 2}
    policy = {"trees": "sampled", "tracker": True, "warm_start": 1.5}
    assert resolve({"epochs": 1}).curriculum is None
    for options, epochs in ((begun, 2), ({**begun, **policy}, 4)):
        with pytest.raises(ConfigurationError, match=f"join after {epochs} epochs"):
            resolve(options, {"epochs": epochs})
        curriculum = resolve(options, {"epochs": epochs + 1}).curriculum
        assert curriculum is not None
        assert curriculum.epochs == epochs


@pytest.mark.parametrize("encoder", ["lstm", "bilstm"])
def test_an_lstm_has_no_phrases_to_pool_with_its_words(encoder):
    assert resolve({"encoder": encoder, "pooling": "max"}).model.pooling == "max"
    with pytest.raises(ConfigurationError, match="no phrases; --pooling max is over all"):
        resolve({"encoder": encoder, "pooling": "max-all"})


def test_a_policy_learns_for_some_epochs_and_not_for_all():
    learning = {**RL, "parser": "own", "policy_epochs": 2}
    configuration = resolve(learning, {"epochs": 3})
    follows = [configuration.follows_own_trees(epoch) for epoch in (0, 1.9, 2, 2.5)]
    assert follows == [False, False, True, True]
    assert not resolve(RL).follows_own_trees(100)
    with pytest.raises(ConfigurationError, match="--symmetries reads them in other forms"):
        resolve(learning, {"epochs": 3, "symmetries": True})
    with pytest.raises(ConfigurationError, match="would never be kept"):
        resolve(learning, {"epochs": 2})
    with pytest.raises(ConfigurationError, match="would never learn"):
        resolve(learning, {"epochs": 3, "warm_start": 2})
    with pytest.raises(ConfigurationError, match="would never learn"):
        resolve(RL, {"epochs": 3, "warm_start": 3})


def test_a_saved_run_is_not_refused_for_what_does_nothing_in_it(tmp_path):
    saved = Configuration().as_dict()
    saved["trees"]["trees"], saved["model"]["tracker"] = "sampled", True
    saved["policy"]["warm_start"], saved["training"]["decay"] = 99.0, 0.5
    (tmp_path / "config.json").write_text(json.dumps(saved))
    configuration = load_configuration(tmp_path / "config.json")
    assert configuration.policy.warm_start == 99
    assert configuration.training.decay == 0.5
    assert configuration.without_idle().training.decay == Configuration().training.decay
    assert configuration.without_idle().policy == configuration.policy


@pytest.mark.parametrize(("trees", "flag"), [("sampled", "--rl"), ("predicted", "--predict")])
def test_choosing_trees_needs_a_tracker(trees, flag):
    with pytest.raises(ConfigurationError, match=f"^{flag} needs a tracker .*; add --tracker"):
        resolve({"trees": trees})


@pytest.mark.parametrize(("trees", "form"), [("sampled", "RL-SPINN"), ("predicted", "SPINN")])
def test_a_parser_of_its_own_brings_its_tracker(trees, form):
    configuration = resolve({"trees": trees, "parser": "own", "tracker_size": 5, "parser_size": 9})
    assert configuration.form == form
    assert configuration.predicts
    assert not configuration.model.tracker
    with pytest.raises(ConfigurationError, match="--parser does nothing here; it belongs to"):
        resolve({"parser": "own"})


def test_leave_one_out_needs_two_samples():
    with pytest.raises(ConfigurationError, match="give --samples 2 or more"):
        resolve(RL, {"baseline": "leave-one-out"})
    assert resolve(RL, {"baseline": "leave-one-out", "samples": 2}).policy.samples == 2


# Files.


NESTED = {"training": {"epochs": 4}, "model": {"encoder": "lstm"}, "data": {"train": ["a", "b"]}}
FLAT = {"epochs": 4, "encoder": "lstm", "train": ["a", "b"]}
FILES = {
    "flat.toml": 'epochs = 4\nencoder = "lstm"\ntrain = ["a", "b"]\n',
    "nested.toml": '[training]\nepochs = 4\n[model]\nencoder = "lstm"\n[data]\ntrain = ["a", "b"]',
    "flat.json": json.dumps(FLAT),
    "nested.json": json.dumps(NESTED),
    "mixed.json": json.dumps(FLAT | {"model": NESTED["model"]}),
    "no-ending": "epochs = 4\nencoder = 'lstm'\ntrain = ['a', 'b']",
}


@pytest.mark.parametrize(("name", "text"), FILES.items(), ids=FILES)
def test_files_are_toml_or_json_flat_or_nested(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_file(path) == FLAT
    assert load_configuration(path).form == "LSTM"


def test_options_that_share_their_groups_name_can_stand_flat(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('data = "sample"\ntrees = "left"\n')
    configuration = load_configuration(path)
    assert (configuration.data.data, configuration.trees.trees) == ("sample", "left")


def test_saved_configuration_is_read_back(tmp_path):
    configuration = resolve(RL, {"hidden_size": 33, "warm_start": 0.25})
    path = tmp_path / "config.json"
    path.write_text(json.dumps(configuration.as_dict()))
    assert load_configuration(path) == configuration


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("broken.toml", b"epochs 4", "it cannot be read"),
        ("broken.json", b'{"epochs": 4', "it cannot be read"),
        ("toml-by-mistake.json", b"epochs = 4", "it cannot be read"),
        ("latin.toml", b'data = "caf\xe9"', "it cannot be read"),
        ("list.json", b"[1, 2]", "it holds no options"),
        ("number.json", b"3", "it holds no options"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_by_name(tmp_path, name, content, cause):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=cause) as caught:
        read_file(path)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.toml: there is no such configuration file"):
        read_file(tmp_path / "absent.toml")


def test_an_unknown_group_is_named(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text("[trainning]\nepochs = 4\n")
    with pytest.raises(ConfigurationError, match="There is no group of options called 'trainning'"):
        read_file(path)


# Presets.


@pytest.mark.parametrize("name", preset_names())
def test_preset_resolves(name):
    configuration = resolve(read_preset(name))
    assert configuration != resolve()
    assert resolve(flatten(configuration.as_dict())) == configuration


def test_an_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(ConfigurationError, match="There is no preset called 'spin'; choose from"):
        read_preset("spin")


def test_a_saved_configuration_outlives_a_change_of_defaults(tmp_path):
    description = resolve({"epochs": 3}).as_dict()
    description["policy"]["entropy_weight"] = 0.125  # idle here, and no longer the default
    path = tmp_path / "config.json"
    path.write_text(json.dumps(description))
    assert load_configuration(path).policy.entropy_weight == 0.125
    with pytest.raises(ConfigurationError, match="--entropy-weight does nothing here"):
        resolve(read_file(path))
