"""The configuration: options resolved to groups, those without effect rejected, and files."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.config import Configuration, resolve
from spinn.config_files import (
    as_toml,
    load_configuration,
    preset_names,
    read_file,
    read_preset,
)
from spinn.learning.objectives.next_word import NEXT_WORD_GROUP
from spinn.learning.transfer import TRANSFER_GROUP
from spinn.option_groups import all_groups, all_options, flatten
from spinn.studies.expansion import expand
from spinn.studies.study import override, read_study, study_file, study_names
from spinn.support.errors import ConfigurationError, DataError
from spinn.support.options import Groups, default_of, flag_of, type_of
from spinn.trees import TREE_SOURCES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIELDS = all_options()
# Written by a version with five groups, for an RL-SPINN with PPO, curriculum, SGD and plateau.
EARLIER = Path(__file__).with_name("earlier_config.json")

PREDICT = {"trees": "predicted", "tracker": True}
RL = {"trees": "sampled", "tracker": True}
# A folder that passes for a prepared corpus.
PREPARED = tempfile.TemporaryDirectory()
Path(PREPARED.name, "corpus.json").touch()
# For each group, or option with a narrower condition: options under which it has no effect, and
# options under which it has one.
NEEDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "train": ({"data": PREPARED.name}, {}),
    "dev": ({"data": PREPARED.name}, {}),
    "test": ({"data": PREPARED.name}, {}),
    "also": ({"data": PREPARED.name}, {}),
    "format": ({"data": PREPARED.name}, {}),
    "lower": ({"data": PREPARED.name}, {}),
    "minimum_count": ({"data": PREPARED.name}, {}),
    "columns": ({"data": PREPARED.name}, {}),
    "label_names": ({"data": PREPARED.name}, {}),
    "vectors": ({"data": PREPARED.name}, {}),
    "induce_vectors": ({}, {"vectors": "some.txt"}),
    "pooling": ({"encoder": "bow"}, {"encoder": "bilstm"}),
    "classifier_width": ({"classifier_layers": 0}, {}),
    "embedding": ({"vectors": "some.txt"}, {}),
    "pretrained": ({}, {"vectors": "some.txt"}),
    "unknown": ({"vectors": "some.txt"}, {"vectors": "some.txt", "embeddings": "fixed"}),
    "transfer": ({}, {"pretrained": "RUN", "leaf_context": "lstm"}),
    "pretrained_backward": (
        {"pretrained": "RUN", "leaf_context": "lstm"},
        {"pretrained": "RUN", "leaf_context": "bilstm"},
    ),
    "pretrained_rate": (
        {"pretrained": "RUN", "leaf_context": "lstm", "pretrained_freeze": True},
        {"pretrained": "RUN", "leaf_context": "lstm"},
    ),
    "spinn": ({"encoder": "lstm"}, {}),
    "parser": ({}, PREDICT),
    "tracker_size": ({}, {"tracker": True}),
    "parser_size": (RL, RL | {"parser": "own"}),
    "composition": ({"encoder": "gumbel"}, {}),
    "composition_dropout": ({"encoder": "lstm"}, {"encoder": "gumbel"}),
    "gumbel": ({}, {"encoder": "gumbel"}),
    "trees": ({"encoder": "lstm"}, {}),
    "teacher": (RL, PREDICT),
    "reinforce": (PREDICT, RL),
    "policy_epochs": (RL, RL | {"parser": "own"}),
    "entropy_epochs": (RL | {"entropy_weight_end": 0.02}, RL),
    "policy_updates": (PREDICT, RL),
    "policy_clip": (RL, RL | {"policy_updates": 2}),
    "next_word": ({}, {"leaf_context": "lstm"}),
    "curriculum_epochs": ({}, {"curriculum": 0.5}),
    "momentum": ({}, {"optimizer": "sgd"}),
    "warmup": ({"schedule": "step"}, {"schedule": "cosine"}),
    "decay": ({"schedule": "constant"}, {"schedule": "plateau"}),
    "decay_steps": ({"schedule": "plateau"}, {"schedule": "exponential"}),
    "batch_size": ({"token_budget": 50}, {}),
}


def conditional() -> list[str]:
    """Return the options that may have no effect."""
    always = set()
    for group in all_groups().values():
        kinds = (group.variants or {}).values()
        common = [set(kind.__dataclass_fields__) for kind in kinds] or [set(group.fields())]
        if group.when is None:
            always |= set.intersection(*common)
    narrower = {name for name, part in FIELDS.items() if part.metadata["when"] is not None}
    # These options bring their groups.
    return sorted((set(FIELDS) - always | narrower) - {"curriculum", "pretrained", "symmetries"})


CONDITIONAL = conditional()
GROUP_OF = {name: group.name for group in all_groups().values() for name in group.fields()}


def needs(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return NEEDS[name if name in NEEDS else GROUP_OF[name]]


def another_value(name: str) -> Any:
    """Find a legal value of an option that is not its default."""
    rules, default = FIELDS[name].metadata, default_of(FIELDS[name])
    choices = FIELDS[name].metadata["choices"]
    if choices:
        return next(choice for choice in choices if choice != default)
    if isinstance(default, bool):
        return not default
    if isinstance(default, list):
        return ["name=some.txt"]
    if default is None:
        return {"str": "some.txt", "int": 5, "float": 0.5}[type_of(FIELDS[name])]
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
    names = [name for group in all_groups().values() for name in group.fields()]
    assert len(names) == len(set(names))
    assert set(all_options()) == set(names)
    for name, part in FIELDS.items():
        assert part.metadata["help"], name
        default, choices = default_of(part), part.metadata["choices"]
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


def test_every_group_is_described_in_a_sentence():
    for group in all_groups().values():
        assert group.summary.endswith("."), group.name
        assert "`" not in group.summary


def test_variants_share_the_declarations_of_their_options():
    """A flag has one default, whichever variant takes it."""
    for group in all_groups().values():
        for name, kind in (group.variants or {}).items():
            assert default_of(kind.__dataclass_fields__[group.name]) == name
            for option, part in kind.__dataclass_fields__.items():
                if option != group.name:
                    assert default_of(part) == default_of(FIELDS[option])
                assert part.metadata == FIELDS[option].metadata | {
                    "choices": part.metadata["choices"]
                }


def test_teacher_is_there_where_transitions_are_learned_from_one():
    def taught(*options: dict[str, Any]) -> str | None:
        configuration = resolve(*options)
        source = configuration.teacher_source
        assert (source is None) == (configuration.teacher is None)
        return None if source is None else source.name

    assert taught(PREDICT) == "gold"
    assert taught(PREDICT, {"teacher": "left"}) == "left"
    assert taught(RL) is None
    assert taught({"encoder": "gumbel"}) is None
    assert resolve({"encoder": "bow"}).source is None


ALWAYS = {"data", "model", "optimizer", "schedule", "training"}
SPINN = {"spinn", "trees", "composition", "embedding"}


@pytest.mark.parametrize(
    ("options", "groups"),
    [
        ({}, SPINN),
        ({"tracker": True}, SPINN | {"tracker"}),
        ({"vectors": "some.txt"}, SPINN - {"embedding"} | {"vectors", "pretrained"}),
        ({"data": PREPARED.name}, SPINN | {"pretrained"}),
        (PREDICT, SPINN | {"tracker", "teacher"}),
        (RL, SPINN | {"tracker", "reinforce"}),
        (RL | {"policy_updates": 2}, SPINN | {"tracker", "reinforce", "ppo"}),
        ({"trees": "sampled", "parser": "own"}, SPINN | {"tracker", "parser", "reinforce"}),
        ({"curriculum": 0.5}, SPINN | {"curriculum"}),
        ({"leaf_context": "lstm"}, SPINN),
        ({"leaf_context": "lstm", "language_weight": 0.1}, SPINN | {"next_word"}),
        ({"encoder": "lstm", "language_weight": 0.1}, {"embedding", "next_word"}),
        ({"encoder": "gumbel"}, {"composition", "gumbel", "embedding"}),
        ({"encoder": "lstm"}, {"embedding"}),
        ({"encoder": "bow", "curriculum": 1.0}, {"embedding"}),
    ],
)
def test_groups_are_present_where_their_options_have_an_effect(options, groups):
    configuration = resolve(options)
    assert set(configuration.groups()) == ALWAYS | groups
    assert set(configuration.as_dict()) == ALWAYS | groups
    for name in set(all_groups()) - ALWAYS - groups:
        assert getattr(configuration, name, None) is None


def test_the_options_of_a_schedule_and_of_an_optimiser_are_its_own():
    described = resolve({"schedule": "plateau", "optimizer": "sgd", "momentum": 0.5}).as_dict()
    assert described["schedule"] == {"schedule": "plateau", "decay": 0.75}
    assert described["optimizer"]["momentum"] == 0.5
    described = resolve().as_dict()
    assert described["schedule"] == {"schedule": "cosine", "warmup": 0.1}
    assert set(described["optimizer"]) == {"optimizer", "learning_rate", "weight_decay"}


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


def test_ppo_requires_a_policy_that_nothing_but_its_updates_changes():
    both = {"policy_updates": 2, "composition_dropout": 0.1}
    with pytest.raises(ConfigurationError, match="give --parser own"):
        resolve(RL, both)
    ppo = resolve(RL, both, {"parser": "own"}).ppo
    assert ppo is not None
    assert ppo.policy_updates == 2


def test_what_a_preset_brings_can_be_undone_as_the_message_says():
    both = {**RL, "policy_updates": 2, "composition_dropout": 0.1}
    with pytest.raises(ConfigurationError, match="--composition-dropout 0, or --policy-updates 1"):
        resolve(base=both)
    assert resolve({"composition_dropout": 0.0}, base=both).ppo is not None
    assert resolve({"policy_updates": 1}, base=both).ppo is None
    both = {**RL, "parser": "own", "policy_epochs": 2, "symmetries": True}
    with pytest.raises(ConfigurationError, match="give --policy-epochs 0"):
        resolve(base=both)
    assert resolve({"policy_epochs": 0}, base=both).batch_transform is not None
    with pytest.raises(ConfigurationError, match="fewer --policy-epochs, or 0 for never"):
        resolve({"epochs": 2, "symmetries": False}, base=both)


@pytest.mark.parametrize(("trees", "flag"), [("sampled", "--rl"), ("predicted", "--predict")])
def test_a_flag_that_is_short_for_trees_is_named_if_they_do_nothing(trees, flag):
    with pytest.raises(ConfigurationError) as caught:
        resolve({"encoder": "lstm", "trees": trees})
    assert str(caught.value) == (
        f"{flag} is short for --trees {trees}, and --trees does nothing here; it belongs to "
        "--encoder spinn."
    )


def test_seeds_have_64_bits_without_a_sign():
    assert resolve({"seed": 2**64 - 1}).training.seed == 2**64 - 1
    with pytest.raises(ConfigurationError, match=r"seed is .*; it must be an integer of 64 bits"):
        resolve({"seed": 2**64})


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
    assert configuration.optimizer.learning_rate == default_of(FIELDS["learning_rate"])


def test_layers_are_judged_together_not_one_by_one():
    layers = [{"trees": "sampled"}, {"tracker": True}, {"baseline": "leave-one-out"}]
    assert resolve(*layers, {"samples": 2}).form == "RL-SPINN"


def test_integers_become_floats_where_options_are_floats():
    rate = resolve({"learning_rate": 1}).optimizer.learning_rate
    assert isinstance(rate, float)


@pytest.mark.parametrize("configuration", [resolve(), resolve(RL, {"samples": 3, "train": ["a"]})])
def test_as_dict_brings_the_configuration_back(configuration):
    description = json.loads(json.dumps(configuration.as_dict()))
    assert resolve(flatten(description)) == configuration
    assert Configuration.of_dict(description) == configuration


# Refusals.


def test_unknown_option_is_named():
    with pytest.raises(ConfigurationError, match=r"'hiden_size' \(did you mean 'hidden_size'"):
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
        ("clip", float("inf")),
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


def test_every_condition_is_covered_here():
    used = {name if name in NEEDS else GROUP_OF[name] for name in CONDITIONAL}
    assert used == set(NEEDS)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_an_option_that_would_do_nothing_is_refused(name):
    without, _ = needs(name)
    value = another_value(name)
    with pytest.raises(ConfigurationError, match=rf"^{flag_of(name)} does nothing here; .+\.$"):
        resolve(without, {name: value})


REMEDIES = [
    ({"data": PREPARED.name, "train": ["a"]}, "--train", "already: give it to `spinn prepare`"),
    ({"encoder": "lstm", "tracker": True}, "--tracker", "it belongs to --encoder spinn"),
    ({"composition": "gated-recursive", "encoder": "gumbel"}, "--composition", "encoder spinn"),
    ({"composition_dropout": 0.5, "encoder": "bow"}, "--composition-dropout", "spinn and gumbel"),
    ({"tracker_size": 9}, "--tracker-size", "add --tracker"),
    ({"parser": "own"}, "--parser", "it belongs to --predict, --rl, and trees from the data"),
    (RL | {"parser_size": 9}, "--parser-size", "it belongs to --parser own"),
    ({"vectors": "v", "embedding_size": 9}, "--embedding-size", "--vectors sets the width"),
    ({"embeddings": "fixed"}, "--embeddings", "it belongs to --vectors"),
    (RL | {"teacher": "left"}, "--teacher", "it belongs to --predict"),
    ({"entropy_weight": 1.0}, "--entropy-weight", "it belongs to --rl"),
    (RL | {"policy_epochs": 1}, "--policy-epochs", "it belongs to --rl with --parser own"),
    (RL | {"policy_clip": 0.1}, "--policy-clip", "--rl with --policy-updates 2 or more"),
    ({"curriculum_epochs": 1}, "--curriculum-epochs", "it belongs to --curriculum"),
    *[
        (
            {"language_weight": 0.1, **options},
            "--language-weight",
            "it requires an LSTM that reads words in order: --leaf-context lstm, or --encoder lstm "
            "without a leaf context",
        )
        for options in (
            {},
            {"encoder": "bow"},
            {"encoder": "bilstm"},
            {"leaf_context": "bilstm"},
            {"encoder": "lstm", "leaf_context": "bilstm"},
            {"encoder": "gumbel", "leaf_context": "aligned"},
        )
    ],
    (
        {
            "language_weight": 0.1,
            "leaf_context": "lstm",
            "pretrained": "RUN",
            "pretrained_freeze": True,
        },
        "--language-weight",
        "--pretrained-freeze does not train the LSTM",
    ),
    ({"momentum": 0.1}, "--momentum", "it belongs to --optimizer sgd"),
    ({"schedule": "step", "warmup": 0.2}, "--warmup", "it belongs to --schedule cosine"),
    ({"decay": 0.1}, "--decay", "it belongs to --schedule step, exponential or plateau"),
    ({"decay_steps": 1}, "--decay-steps", "it belongs to --schedule step or exponential"),
    ({"token_budget": 9, "batch_size": 9}, "--batch-size", "--token-budget sizes the batches"),
]


@pytest.mark.parametrize(("options", "flag", "remedy"), REMEDIES)
def test_the_remedy_names_what_an_option_belongs_to(options, flag, remedy):
    with pytest.raises(ConfigurationError) as caught:
        resolve(options)
    assert str(caught.value).startswith(f"{flag} does nothing here; ")
    assert str(caught.value).endswith(f"{remedy}.")


@pytest.mark.parametrize("name", CONDITIONAL)
def test_an_option_is_taken_where_it_does_something(name):
    _, holds = needs(name)
    group, value = GROUP_OF[name], another_value(name)
    configuration = resolve(holds, {name: value})
    assert getattr(configuration.groups()[group], name) == value


@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_default_written_out_is_never_refused(name):
    without, _ = needs(name)
    given = {name: default_of(FIELDS[name])} if name not in without else {}
    assert resolve(given, without) == resolve(without)


def test_a_curriculum_comes_to_its_end_before_training_does():
    begun = {"curriculum": 0.5, "curriculum_epochs": 2}
    assert resolve({"epochs": 1}).curriculum is None
    with pytest.raises(ConfigurationError, match="join after 2 epochs"):
        resolve(begun, {"epochs": 2})
    assert resolve(begun, {"epochs": 3}).curriculum is not None


@pytest.mark.parametrize("encoder", ["lstm", "bilstm"])
def test_an_lstm_has_no_phrases_to_pool_with_its_words(encoder):
    assert resolve({"encoder": encoder, "pooling": "max"}).model.pooling == "max"
    with pytest.raises(ConfigurationError, match="no phrases; --pooling max is over all"):
        resolve({"encoder": encoder, "pooling": "max-all"})


def test_a_policy_learns_for_some_epochs_and_not_for_all():
    learning = {**RL, "parser": "own", "policy_epochs": 2}
    reinforce, other = resolve(learning, {"epochs": 3}).reinforce, resolve(RL).reinforce
    assert reinforce is not None
    assert other is not None
    ended = [reinforce.ends_before(epoch) for epoch in (0, 1.9, 2, 2.5)]
    assert ended == [False, False, True, True]
    assert not other.ends_before(100)
    with pytest.raises(ConfigurationError, match="this run reads them in other forms"):
        resolve(learning, {"epochs": 3, "symmetries": True})
    with pytest.raises(ConfigurationError, match="would never be frozen"):
        resolve(learning, {"epochs": 2})


def test_a_saved_run_is_not_refused_for_what_does_nothing_in_it(tmp_path):
    saved = resolve(RL).as_dict()
    saved["schedule"]["decay"] = 0.5
    saved["gumbel"] = {"temperature": 3.0}
    (tmp_path / "config.json").write_text(json.dumps(saved))
    configuration = load_configuration(tmp_path / "config.json")
    assert configuration.schedule == resolve().schedule
    assert configuration.gumbel is None


def test_fixed_shapes_need_a_tracker_and_a_tree_lstm():
    with pytest.raises(ConfigurationError, match="add --tracker"):
        resolve({"engine": "fixed"})
    with pytest.raises(ConfigurationError, match="tree-LSTM"):
        resolve({"engine": "fixed", "tracker": True, "composition": "gated-recursive"})
    assert resolve({"engine": "fixed", "tracker": True}).spinn is not None


@pytest.mark.parametrize(("trees", "flag"), [("sampled", "--rl"), ("predicted", "--predict")])
def test_choosing_trees_needs_a_tracker(trees, flag):
    with pytest.raises(ConfigurationError, match=f"^{flag} needs a tracker .*; add --tracker"):
        resolve({"trees": trees})


@pytest.mark.parametrize(("trees", "form"), [("sampled", "RL-SPINN"), ("predicted", "SPINN")])
def test_a_parser_of_its_own_brings_its_tracker(trees, form):
    configuration = resolve({"trees": trees, "parser": "own", "tracker_size": 5, "parser_size": 9})
    assert configuration.form == form
    assert configuration.predicts
    assert configuration.spinn is not None
    assert not configuration.spinn.tracker
    with pytest.raises(ConfigurationError, match="--parser does nothing here; it belongs to"):
        resolve({"parser": "own"})


def test_leave_one_out_needs_two_samples():
    with pytest.raises(ConfigurationError, match="give --samples 2 or more"):
        resolve(RL, {"baseline": "leave-one-out"})
    assert resolve(RL, {"baseline": "leave-one-out", "samples": 2}).reinforce.samples == 2


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
    assert configuration.trees is not None
    assert (configuration.data.data, configuration.trees.trees) == ("sample", "left")


def test_saved_configuration_is_read_back(tmp_path):
    configuration = resolve(RL, {"hidden_size": 33, "entropy_weight": 0.25})
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
        ("deep.json", b"[" * 99_999, "it cannot be read"),
        ("deep.toml", b"epochs = " + b"[" * 99_999, "it cannot be read"),
        ("twice.json", b'{"epochs": 4, "epochs": 5}', "a name occurs twice"),
        ("infinite.json", b'{"clip": Infinity}', "Infinity is not a JSON number"),
        ("large.toml", b"#" * (2**20 + 1), "more than 1,048,576 bytes"),
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
    with pytest.raises(DataError, match=r"absent\.toml: there is no such file"):
        read_file(tmp_path / "absent.toml")


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(DataError, match=r"it cannot be read \(Is a directory\)"):
        read_file(tmp_path)


@pytest.mark.parametrize(("name", "text"), [("a.toml", "epochs = 4"), ("a.json", '{"epochs": 4}')])
def test_a_byte_order_mark_is_skipped(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert read_file(tmp_path / name) == {"epochs": 4}
    assert load_configuration(tmp_path / name).training.epochs == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[ppo]\nepochs = 3", r"epochs is in \[ppo\] and belongs in \[training\]; move it"),
        ("[training.x]\nepochs = 3", "no option called 'x'"),
        ("epochs = 4\n[training]\nepochs = 3", "epochs has two values"),
        ("[training]\nepochs = '3'", "epochs is '3'; it must be of type int"),
        ("epochs = 1979-05-27", "epochs is .*; it must be of type int"),
        ("train = ['a', 1]", "train is .*; it must be of type list"),
        ("epochs = 9223372036854775808", "epochs is .*; it must be an integer of 64 bits"),
        (f"epochs = '{'x' * 999}'", r"epochs is 'x{59}\.\.\.; it must"),
    ],
)
def test_what_is_wrong_with_an_option_is_named_with_its_file(tmp_path, text, message):
    path = tmp_path / "options.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=rf"^{re.escape(str(path))}: .*{message}"):
        read_file(path)


def test_an_unknown_group_is_named(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text("[trainning]\nepochs = 4\n")
    with pytest.raises(ConfigurationError, match="There is no group of options called 'trainning'"):
        read_file(path)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("rl = true", 'write trees = "sampled"'), ('preset = "sample"', "give --preset NAME")],
)
def test_a_flag_in_a_file_is_told_from_an_option(tmp_path, text, remedy):
    path = tmp_path / "flags.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=rf"is a flag, and no option; {remedy}"):
        read_file(path)


# Presets.


@pytest.mark.parametrize("name", preset_names())
def test_preset_resolves(name):
    configuration = resolve(read_preset(name))
    assert configuration != resolve()
    assert resolve(flatten(configuration.as_dict())) == configuration


def test_an_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"no preset called 'spin' .*; choose from"):
        read_preset("spin")


def test_a_saved_configuration_outlives_a_change_of_defaults(tmp_path):
    described = earlier()
    described["training"]["warmup"] = 0.125  # without effect here, and no longer the default
    path = tmp_path / "config.json"
    path.write_text(json.dumps(described))
    assert load_configuration(path) == Configuration.of_dict(earlier())
    for group in described.values():
        for name in REMOVED & group.keys():
            del group[name]
    described["trees"]["teacher"] = "gold"  # no teacher, without a warm start
    path.write_text(json.dumps(described))
    with pytest.raises(ConfigurationError, match="--warmup does nothing here"):
        resolve(read_file(path))


# Runs of earlier versions.

REMOVED = {
    "average_forms",
    "balance_labels",
    "dropout_unit",
    "policy_weight",
    "reward",
    "warm_start",
}


def earlier() -> dict[str, Any]:
    """Return the options of the earlier run, without the warm start that it had."""
    described: dict[str, Any] = json.loads(EARLIER.read_text())
    described["policy"]["warm_start"] = 0.0
    return described


def test_the_five_groups_of_earlier_versions_are_read():
    given = flatten(earlier())
    configuration = Configuration.of_dict(earlier())
    assert configuration.form == "RL-SPINN"
    assert set(configuration.groups()) == set(all_groups()) - {
        "embedding",
        "gumbel",
        "induced_vectors",
        "next_word",
        "symmetries",
        "teacher",
        "transfer",
    }
    values = configuration.values()
    assert set(given) - set(values) == REMOVED
    later = {"columns": None, "label_names": None}
    later |= Groups([TRANSFER_GROUP, NEXT_WORD_GROUP]).defaults()
    assert given.keys().isdisjoint(later)
    later |= {"policy_epochs": 0, "teacher": "gold"}  # no teacher, without a warm start
    assert {name: (given | later)[name] for name in values} == values
    assert Configuration.of_dict(configuration.as_dict()) == configuration


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("training", "average_forms", 24),
        ("training", "balance_labels", True),
        ("model", "dropout_unit", "word"),
        ("policy", "warm_start", 0.5),
        ("policy", "reward", "correct"),
        ("policy", "policy_weight", 0.5),
    ],
)
def test_a_run_with_a_removed_option_is_rejected_in_a_sentence(tmp_path, group, name, value):
    described = earlier()
    described[group][name] = value
    path = tmp_path / "run" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(described))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert str(caught.value) == (
        f"{tmp_path / 'run'} was trained with {flag_of(name)}, which this version no longer has."
    )


def test_a_run_with_a_removed_baseline_is_rejected_in_a_sentence():
    described = resolve(RL).as_dict()
    described["reinforce"]["baseline"] = "value"
    with pytest.raises(ConfigurationError) as caught:
        Configuration.of_dict(described)
    assert str(caught.value) == (
        "The run was trained with --baseline value, which this version no longer has."
    )


# Printed configurations.


def read_toml(text: str) -> dict[str, Any]:
    return flatten(tomllib.loads(text))


def study_rows() -> list[Any]:
    """Return the configurations of all rows of all studies in the catalogue."""
    found = []
    for name in study_names():
        study = read_study(study_file(name))
        assert study.header is not None
        needed = study.header.needs
        files: dict[str, Any] = {"data": "x"} if needed else {}
        files |= {"vectors": "v.txt"} if "vectors" in needed else {}
        further = set(needed) - {"train", "dev", "test", "vectors"}
        files |= {"also": [f"{one}=x" for one in sorted(further)]} if further else {}
        expanded = expand(override(study, files, {}, None), name)
        found += [
            pytest.param(configurations[0], id=f"{name}: {row}")
            for row, configurations in expanded.rows.items()
        ]
    return found


PRESETS = [pytest.param(resolve(read_preset(name)), id=name) for name in preset_names()]


@pytest.mark.parametrize("configuration", [*PRESETS, *study_rows()])
def test_a_printed_configuration_resolves_to_itself(configuration):
    text = as_toml(configuration)
    assert resolve(read_toml(text)) == configuration
    assert set(tomllib.loads(text)) == set(configuration.groups())
    assert Configuration.of_dict(json.loads(json.dumps(configuration.as_dict()))) == configuration


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_any_text_is_printed_as_toml(names):
    configuration = resolve({"train": names, "learning_rate": 1e-9})
    assert resolve(read_toml(as_toml(configuration))) == configuration


def test_spacy_parses_where_trees_of_the_data_are_followed_or_taught():
    for options in ({}, PREDICT):
        assert resolve(options, {"parser": "spacy"}).sentence_parser.pipeline == "en_core_web_sm"
        assert resolve(options).sentence_parser is None
    for options in ({"trees": "left"}, RL, PREDICT | {"teacher": "left"}, {"encoder": "gumbel"}):
        with pytest.raises(ConfigurationError, match="--parser does nothing here"):
            resolve(options, {"parser": "spacy"})
    assert resolve({"parser": "spacy:folder"}).sentence_parser.pipeline == "folder"
