"""The options of language models: their own list, presets, files, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spinn.config_files import load_configuration, preset_names, read_file, read_preset
from spinn.language.config import (
    LANGUAGE_GROUPS,
    PRESETS,
    LanguageConfiguration,
)
from spinn.language.fragments import FRAGMENT_GROUPS, FragmentConfiguration
from spinn.option_groups import all_groups
from spinn.support.errors import ConfigurationError, SpinnError

TEXT = {"text": ["a.txt"]}


def test_the_presets_are_configurations():
    assert preset_names(PRESETS) == ["awd", "fragments", "snli-text", "time-machine"]
    for name in ("awd", "snli-text", "time-machine"):
        preset = read_preset(name, PRESETS, LANGUAGE_GROUPS)
        named = {} if "corpus" in preset else TEXT if "split" in preset else {"train": ["a.txt"]}
        configuration = LanguageConfiguration.resolve(preset, named)
        assert configuration.values() == LANGUAGE_GROUPS.defaults() | preset | named


def test_the_preset_of_fragments_is_a_configuration():
    preset = read_preset("fragments", PRESETS, FRAGMENT_GROUPS)
    configuration = FragmentConfiguration.resolve(preset, {"train": ["a.txt"]})
    values = FRAGMENT_GROUPS.flatten(configuration.as_dict())
    assert values == values | preset


def test_the_options_are_not_those_of_sentence_pairs():
    assert "unit" not in all_groups().options()
    assert "encoder" not in LANGUAGE_GROUPS.options()
    with pytest.raises(ConfigurationError, match="There is no option called 'tracker'"):
        LanguageConfiguration.resolve(TEXT, {"tracker": True})


def test_a_file_is_read_by_groups(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'text = ["a.txt"]\n[language]\nlayers = 1\n[optimizer]\noptimizer = "nt-asgd"\n'
    )
    configuration = LanguageConfiguration.resolve({}, read_file(path, LANGUAGE_GROUPS))
    assert configuration.language.layers == 1
    assert configuration.form == "LSTM language model"
    path.write_text("[dropout]\nlayers = 1\n")
    with pytest.raises(ConfigurationError, match=r"layers is in \[dropout\] and belongs in"):
        read_file(path, LANGUAGE_GROUPS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "sentences", "steps": 5}, "--steps does nothing here"),
        ({"trigger_evaluations": 3}, "it belongs to --optimizer nt-asgd"),
        ({"unit": "letter"}, "--unit cannot be 'letter'; choose from char, word"),
        ({"text": [], "corpus": "sample", "split": "90/10"}, "--split does nothing here"),
        ({"layout": "sentences", "normalize": "letters"}, "--layout sentences needs"),
        ({"layers": 1, "hidden_size": 9}, "--hidden-size does nothing here; the only layer"),
        ({"layers": 1, "layer_dropout": 0.1}, "--layer-dropout does nothing here"),
        ({"embeddings_of": "run", "minimum_count": 3}, "--minimum-count does nothing here"),
        ({"weight_dropout": 1.0}, "--weight-dropout is 1.0; it must be at most"),
        ({"optimizer": "asgd"}, "--optimizer cannot be 'asgd'"),
    ],
)
def test_what_has_no_effect_or_sense_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        LanguageConfiguration.resolve(TEXT, options)


@pytest.mark.parametrize(
    ("base", "given", "flag"),
    [
        ({"optimizer": "sgd", "momentum": 0.5}, {"optimizer": "adamw"}, "--momentum"),
        ({"schedule": "exponential", "decay": 0.9}, {"schedule": "constant"}, "--decay"),
        ({"schedule": "cosine", "warmup": 0.05}, {"schedule": "constant"}, "--warmup"),
        ({"layout": "streams", "steps": 7}, {"layout": "sentences"}, "--steps"),
    ],
)
def test_what_a_base_has_without_effect_is_left_out_and_what_is_given_is_refused(base, given, flag):
    configuration = LanguageConfiguration.resolve(TEXT | base, given)
    assert configuration == LanguageConfiguration.resolve({}, TEXT, given)
    with pytest.raises(ConfigurationError, match=f"^{flag} does nothing here"):
        LanguageConfiguration.resolve(TEXT, base, given)


def test_a_saved_configuration_is_read_again_and_only_as_what_it_is(tmp_path: Path):
    configuration = LanguageConfiguration.resolve(TEXT, {"optimizer": "nt-asgd", "unit": "char"})
    place = tmp_path / "config.json"
    place.write_text(json.dumps(configuration.as_dict()))
    assert LanguageConfiguration.load(place) == configuration
    with pytest.raises(SpinnError, match="this is a language model; use it with `spinn lm`"):
        load_configuration(place)
    place.write_text(json.dumps({"data": {"data": "sample"}}))
    with pytest.raises(SpinnError, match="this is no language model"):
        LanguageConfiguration.load(place)


def test_only_place_and_text_can_move():
    configuration = LanguageConfiguration.resolve(TEXT, {"epochs": 3})
    moved = configuration.moved({"text": ["b.txt"], "threads": 2, "epochs": 9})
    assert moved.data.text == ["b.txt"]
    assert (moved.training.threads, moved.training.epochs) == (2, 3)
