"""Studies: reading a file, overriding it by flags, and the errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.base_options import base_options
from spinn.config import resolve
from spinn.data.find import named
from spinn.model.build import ModelOptions
from spinn.studies.expansion import expand, folder_name
from spinn.studies.study import Row, Study, override, read_study
from spinn.support.errors import SpinnError

STUDY = """
seeds = [4, 2]

[base]
preset = "logic"
hidden_size = 16
[base.training]
epochs = 2

[[row]]
name = "balanced"
trees = "balanced"

[[row]]
name = "RL & co."
preset = "rl-spinn"
hidden_size = 24
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_header_names_required_files(tmp_path):
    header = '[study]\ntitle = "T"\ntask = "t"\nneeds = {train = "1", dev = "2", 7 = "3"}\n'
    study = read_study(written(tmp_path, STUDY.replace("\n[base]\n", f"\n{header}[base]\n")))
    assert study.header is not None
    assert study.header.title == "T"
    given = {"train": ["a"]}
    with pytest.raises(SpinnError, match=r"Add --dev FILES \(2\), --also 7=FILE \(3\)\."):
        expand(override(study, given, {}, None), "study")
    whole = given | {"dev": ["c"], "also": ["7=d"]}
    assert len(expand(override(study, whole, {}, None), "study").rows) == 2


def test_a_file_is_expanded(tmp_path):
    expanded = expand(read_study(written(tmp_path, STUDY)), "study")
    assert list(expanded.rows) == ["balanced", "RL & co."]
    assert expanded.seeds == (4, 2)
    first, _ = expanded.rows["balanced"]
    assert (first.training.seed, first.training.epochs, first.model.hidden_size) == (4, 2, 16)
    assert first.optimizer.weight_decay == 0.1  # from the preset of the base
    other, _ = expanded.rows["RL & co."]
    assert other.model.hidden_size == 24  # the row overrides the base
    assert other.form == "RL-SPINN"  # its preset replaces the base's
    assert other.optimizer.weight_decay != 0.1


def test_runs_have_folders_of_row_and_seed(tmp_path):
    expanded = expand(read_study(written(tmp_path, STUDY)), "study")
    names = [one.path.name for one in expanded.runs(tmp_path)]
    assert names == ["balanced-seed4", "RL-co-seed4", "balanced-seed2", "RL-co-seed2"]
    assert all(one.configuration.training.seed == one.seed for one in expanded.runs(tmp_path))


VALUES = {
    "hidden_size": st.integers(1, 500),
    "learning_rate": st.sampled_from([0.1, 0.01, 0.5]),
    "trees": st.sampled_from(["left", "right", "balanced", "gold"]),
    "lower": st.booleans(),
}


@given(st.data())
def test_every_combination_occurs_once_with_every_seed(data):
    names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, min_size=1))
    vary = {n: data.draw(st.lists(VALUES[n], min_size=1, max_size=3, unique=True)) for n in names}
    seeds = tuple(data.draw(st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True)))
    expanded = expand(Study(base={"epochs": 3}, vary=vary, seeds=seeds), "study")
    count = 1
    for values in vary.values():
        count *= len(values)
    runs = expanded.runs(Path("runs"))
    assert len(expanded.rows) == count
    assert len({run.path for run in runs}) == count * len(seeds)
    assert len({str(run.configuration) for run in runs}) == count * len(seeds)
    assert all(run.configuration.training.epochs == 3 for run in runs)


@given(st.dictionaries(st.sampled_from(["hidden_size", "epochs", "seed"]), st.integers(1, 9)))
def test_a_study_of_one_row_has_the_configuration_of_train(options):
    base = {name: value for name, value in options.items() if name != "seed"}
    seed = options.get("seed", 1)
    expanded = expand(Study(base=base, seeds=(seed,)), "study")
    expected = resolve(base, {"seed": seed}, base=base_options(None, base))
    assert expanded.rows == {"base": (replace(expected, data=named(expected.data)),)}


def test_rows_are_crossed_with_varied_options():
    rows = (Row("a", {"trees": "left"}), Row("b", {"trees": "right"}))
    expanded = expand(Study(rows=rows, vary={"hidden_size": [8, 16]}), "study")
    assert list(expanded.rows) == [
        "a, hidden_size=8", "a, hidden_size=16", "b, hidden_size=8", "b, hidden_size=16",
    ]  # fmt: skip
    assert expanded.rows["b, hidden_size=16"][0].trees.trees == "right"


BAD_FILES = {
    "not TOML": ("seeds = [1", "it cannot be read"),
    "deep brackets": ("seeds = " + "[" * 9_000, "nested too deeply"),
    "unknown part": ("epochs = 3", "'epochs' is not a part of a study"),
    "unknown option": ("[base]\nepoch = 3", "Did you mean epochs"),
    "unknown group": ("[base.modle]\nhidden_size = 3", "Groups are data, vectors, model"),
    "not a table": ("base = 3", "[base] is not a table"),
    "row without list": ("[row]\nname = 'a'", "Begin each row with [[row]]"),
    "nameless row": ("[[row]]\ntrees = 'left'", "row 1 has no name"),
    "blank name": ("[[row]]\nname = '//'", "has a blank name"),
    "equal names": (
        "[[row]]\nname = 'a b'\n[[row]]\nname = 'A/B'",
        "'A/B' has the same folder",
    ),
    "seeds": ("seeds = [1, 1]", "Write seeds = [1, 2, 3]"),
    "boolean seed": ("seeds = [true]", "Write seeds = [1, 2, 3]"),
    "seed in base": ("[base]\nseed = 3", "Give seeds = [1, 2, 3] instead"),
    "varied value": ("[vary]\nepochs = 3", "Write epochs = [VALUE, VALUE]"),
    "value twice": ("[vary]\nepochs = [3, 3]", "with a value twice"),
    "wrong type": ("[[row]]\nname = 'a'\nepochs = 'many'", "row 'a': The option epochs is 'many'"),
    "out of range": ("[[row]]\nname = 'a'\nepochs = 0", "row 'a': --epochs is 0"),
    "numbers as text": ("[base]\ntrees = 'sampled'\nepochs = '30'", "The option epochs is '30'"),
    "list for a folder": (
        "[base]\ndata_directory = ['a']",
        "The option data_directory is ['a']",
    ),
    "list of presets": ("[base]\npreset = ['spinn']", "The option preset is ['spinn']"),
    "no preset": ("[base]\npreset = 'no'", "There is no preset called 'no'; choose from"),
    "idle": (
        "[base]\ntracker = true\n[[row]]\nname = 'a'\nencoder = 'lstm'",
        "row 'a': --tracker does nothing here; it belongs to --encoder spinn. "
        "Set an option only in rows that use it",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_invalid_files_are_rejected(tmp_path, name):
    text, cause = BAD_FILES[name]
    path = written(tmp_path, text)
    with pytest.raises(SpinnError) as caught:
        expand(read_study(path), "study")
    assert str(caught.value).startswith(str(path))
    assert cause in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(SpinnError, match=r"nothing\.toml: there is no such file"):
        read_study(tmp_path / "nothing.toml")


def test_flags_override_the_base_and_not_the_rows(tmp_path):
    study = read_study(written(tmp_path, STUDY))
    expanded = expand(override(study, {"epochs": 7}, {"batch_size": [4, 8]}, (9,)), "study")
    assert {one.training.epochs for row in expanded.rows.values() for one in row} == {7}
    assert len(expanded.rows) == 4
    assert expanded.seeds == (9,)
    with pytest.raises(SpinnError, match="set hidden_size, which the command line sets too"):
        override(study, {"hidden_size": 3}, {}, None)
    with pytest.raises(SpinnError, match="Give --seeds"):
        override(study, {"seed": 3}, {}, None)


@given(st.text())
def test_folder_names_are_portable(name):
    assert all(c.isascii() and (c.isalnum() or c in "._=+-") for c in folder_name(name))
    assert not folder_name(name).startswith((".", "-"))


def test_an_empty_string_omits_an_option_of_the_base(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        '[base]\ndata = "folder"\nhidden_size = 8\n'
        '[[row]]\nname = "own"\n'
        '[[row]]\nname = "default"\nhidden_size = ""\nvectors = ""\n'
    )
    study = override(read_study(path), {"vectors": "glove.txt"}, {}, None)
    rows = expand(study, "study").rows
    own, default = (rows[name][0] for name in ("own", "default"))
    assert own.model.hidden_size == 8
    assert own.vectors is not None
    assert default.model.hidden_size == ModelOptions().hidden_size
    assert default.vectors is None


def test_an_option_is_set_in_one_place(tmp_path):
    """A row named after its trees must not get other trees from [vary]."""
    path = tmp_path / "study.toml"
    path.write_text('[[row]]\nname = "left"\ntrees = "left"\n[vary]\ntrees = ["balanced"]\n')
    with pytest.raises(SpinnError, match=r"study.toml.*row 'left' sets trees, which \[vary\] sets"):
        expand(read_study(path), "study")


def test_a_seed_in_a_configuration_file_is_rejected():
    with pytest.raises(SpinnError, match=r"configuration file sets the seed. Give --seeds 1,2,3"):
        override(Study(base={"seed": 7}), {}, {}, None)
    study = override(Study(base={"seed": 7}), {}, {}, (3,))
    (configuration,) = expand(study, "study").rows["base"]
    assert configuration.training.seed == 3
