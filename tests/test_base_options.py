"""What a run has before options are given: a preset, the bundled corpus's, and that of --rl."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.base_options import base_options
from spinn.config import Configuration, resolve
from spinn.config_files import as_toml, preset_names, read_file, read_preset
from spinn.learning.objectives.reinforce import LEARNED_TREES
from spinn.support.errors import ConfigurationError

ELSEWHERE: dict[str, Any] = {"data": "folder"}  # not the bundled corpus


def resolved(options: dict[str, Any], preset: str | None = None) -> Configuration:
    return resolve(options, base=base_options(preset, options))


@pytest.mark.parametrize("options", [{}, {"data": "sample"}])
def test_the_bundled_corpus_brings_its_preset(options, tmp_path):
    options = {**options, "data_directory": str(tmp_path)}  # without SNLI
    values, preset = resolved(options).values(), read_preset("sample")
    assert {name: values[name] for name in preset if name != "data"} == {
        name: value for name, value in preset.items() if name != "data"
    }
    assert values["data"] == options.get("data")
    assert resolved({**options, "epochs": 3}).training.epochs == 3


@pytest.mark.parametrize(
    "options", [ELSEWHERE, {"data": "snli"}, {"train": ["a.jsonl"], "dev": ["b.jsonl"]}]
)
def test_other_data_bring_nothing(options):
    assert base_options(None, options) == {}


def test_a_preset_replaces_that_of_the_bundled_corpus():
    assert base_options("logic", {}) == read_preset("logic")
    with pytest.raises(ConfigurationError, match="no preset called 'logik'"):
        base_options("logik", {})


def test_what_a_preset_has_without_effect_is_left_out():
    lstm = resolved({"encoder": "lstm", "data": "sample"})
    assert lstm.composition is None
    assert lstm.model.hidden_size == read_preset("sample")["hidden_size"]
    with pytest.raises(ConfigurationError, match="--composition-dropout does nothing here"):
        resolved({"encoder": "lstm", "data": "sample", "composition_dropout": 0.2})


def test_learning_trees_brings_what_it_needs():
    values = resolved({**ELSEWHERE, "trees": "sampled", "epochs": 40}).values()
    assert {name: values[name] for name in LEARNED_TREES} == LEARNED_TREES


def test_options_that_are_given_override_what_learning_trees_brings():
    given = {"samples": 7, "entropy_weight": 0.5, "policy_epochs": 2, "warmup": 0.2}
    values = resolved({**ELSEWHERE, "trees": "sampled", **given}).values()
    assert {name: values[name] for name in given} == given
    preset = resolved({**ELSEWHERE, "trees": "sampled"}, "listops")
    assert preset.values()["baseline"] == "leave-one-out"
    assert preset.model.hidden_size == read_preset("listops")["hidden_size"]


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        (None, {"trees": "sampled", "parser": "shared", "tracker": True}),
        (None, {"trees": "predicted", "parser": "own"}),
        (None, {"encoder": "gumbel"}),
        (None, {"encoder": "lstm", "trees": "sampled"}),
        ("rl-spinn", {"trees": "sampled"}),
    ],
)
def test_other_trees_bring_nothing(preset, options):
    expected = {} if preset is None else read_preset(preset)
    assert base_options(preset, {**ELSEWHERE, **options}) == expected


@given(st.integers(1, 200))
def test_no_part_of_learning_trees_takes_more_than_half_of_the_epochs(epochs):
    configuration = resolved({**ELSEWHERE, "trees": "sampled", "epochs": epochs})
    assert configuration.reinforce is not None
    parts = [configuration.reinforce.policy_epochs, configuration.reinforce.entropy_epochs]
    if configuration.curriculum is not None:
        parts.append(configuration.curriculum.curriculum_epochs)
    assert all(part is not None and 2 * part <= max(2, epochs) for part in parts)
    assert (configuration.curriculum is None) == (epochs == 1)


# Whole configurations.

CHANGES: list[dict[str, Any]] = [
    {},
    {"curriculum": 1.0, "policy_updates": 1},
    {"entropy_weight": 0.1, "entropy_weight_end": 0.0, "samples": 2},
    {"schedule": "constant", "baseline": "greedy"},
]


def files_of(configuration: Configuration, folder: Path) -> list[Path]:
    """Write a configuration as --print-config does, and as a run does."""
    printed, written = folder / "mine.toml", folder / "config.json"
    printed.write_text(as_toml(configuration))
    written.write_text(json.dumps(configuration.as_dict()))
    return [printed, written]


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize(
    ("preset", "data"), itertools.product([None, *preset_names()], ["x", None])
)
@pytest.mark.parametrize("parser", ["own", "shared"])
def test_a_file_with_all_options_gives_the_same_configuration(
    tmp_path, preset, data, parser, changes
):
    options = {"trees": "sampled", "tracker": True, "encoder": "spinn", "parser": parser}
    options |= {"composition_dropout": 0.0} if parser == "shared" else {}
    options |= {} if data is None else {"data": data}
    configuration = resolved({**options, **changes}, preset)
    for path in files_of(configuration, tmp_path):
        assert resolved(read_file(path)) == configuration, path.name


@pytest.mark.parametrize("encoder", ["lstm", "gumbel", "spinn"])
def test_a_file_with_all_options_takes_nothing_from_the_bundled_corpus(tmp_path, encoder):
    configuration = resolved({**ELSEWHERE, "encoder": encoder})
    for path in files_of(configuration, tmp_path):
        assert base_options(None, {**read_file(path), "data": "sample"}) == {}


def test_learning_trees_completes_a_whole_configuration_of_other_trees(tmp_path):
    for path in files_of(resolved({**ELSEWHERE, "epochs": 40}), tmp_path):
        values = resolved({**read_file(path), "trees": "sampled", "parser": "own"}).values()
        brought = {name: values[name] for name in LEARNED_TREES if name != "warmup"}
        assert brought.items() <= LEARNED_TREES.items()


@pytest.mark.parametrize("trees", ["sampled", "predicted"])
def test_a_parser_of_its_own_has_the_tracker(trees):
    own = {**ELSEWHERE, "trees": trees, "parser": "own"}
    with_flag, without = resolved({**own, "tracker": True}), resolved(own)
    assert with_flag == without
    assert with_flag.spinn is not None
    assert not with_flag.spinn.tracker
    assert with_flag.tracker is not None
