"""What a run has before options are given: a preset, the bundled corpus's, and that of --rl."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.base_options import base_options
from spinn.config import Configuration, resolve
from spinn.config_files import read_preset
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


@pytest.mark.parametrize("trees", ["sampled", "predicted"])
def test_a_parser_of_its_own_has_the_tracker(trees):
    own = {**ELSEWHERE, "trees": trees, "parser": "own"}
    with_flag, without = resolved({**own, "tracker": True}), resolved(own)
    assert with_flag == without
    assert with_flag.spinn is not None
    assert not with_flag.spinn.tracker
    assert with_flag.tracker is not None
