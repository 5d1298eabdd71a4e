"""Studies: what a file and flags say, how they multiply, and how they are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.find import named
from spinn.errors import SpinnError
from spinn.laboratory.grid import (
    Description,
    expand,
    folder_name,
    overlay,
    parse_seeds,
    parse_vary,
    read_description,
)
from spinn.training.config import resolve

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


def test_a_file_may_say_what_it_claims_and_needs(tmp_path):
    claim = '[experiment]\ntitle = "T"\ntask = "t"\nneeds = {train = "1", dev = "2", 7 = "3"}\n'
    description = read_description(
        written(tmp_path, STUDY.replace("\n[base]\n", f"\n{claim}[base]\n"))
    )
    assert description.claim is not None
    assert description.claim.title == "T"
    given = {"train": ["a"]}
    with pytest.raises(SpinnError, match=r"Add --dev FILES \(2\), --also 7=FILE \(3\)\."):
        expand(overlay(description, given, {}, None), "study")
    whole = given | {"dev": ["c"], "also": ["7=d"]}
    assert len(expand(overlay(description, whole, {}, None), "study").rows) == 2


def test_a_file_is_multiplied_out(tmp_path):
    grid = expand(read_description(written(tmp_path, STUDY)), "study")
    assert list(grid.rows) == ["balanced", "RL & co."]
    assert grid.seeds == (4, 2)
    first, _ = grid.rows["balanced"]
    assert (first.training.seed, first.training.epochs, first.model.hidden_size) == (4, 2, 16)
    assert first.training.weight_decay == 0.1  # of the preset below the base
    other, _ = grid.rows["RL & co."]
    assert other.model.hidden_size == 24  # the row lies above the base
    assert other.form == "RL-SPINN"  # its preset is in the place of the base's
    assert other.training.weight_decay != 0.1


def test_runs_have_folders_of_row_and_seed(tmp_path):
    grid = expand(read_description(written(tmp_path, STUDY)), "study")
    names = [one.path.name for one in grid.experiments(tmp_path)]
    assert names == ["balanced-seed4", "RL-co-seed4", "balanced-seed2", "RL-co-seed2"]
    assert all(one.configuration.training.seed == one.seed for one in grid.experiments(tmp_path))


VALUES = {
    "hidden_size": st.integers(1, 500),
    "learning_rate": st.sampled_from([0.1, 0.01, 0.5]),
    "trees": st.sampled_from(["left", "right", "balanced", "gold"]),
    "lower": st.booleans(),
}


@given(st.data())
def test_every_combination_comes_once_with_every_seed(data):
    names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, min_size=1))
    vary = {n: data.draw(st.lists(VALUES[n], min_size=1, max_size=3, unique=True)) for n in names}
    seeds = tuple(data.draw(st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True)))
    grid = expand(Description(base={"epochs": 3}, vary=vary, seeds=seeds), "study")
    wanted = 1
    for values in vary.values():
        wanted *= len(values)
    experiments = grid.experiments(Path("runs"))
    assert len(grid.rows) == wanted
    assert len({one.path for one in experiments}) == wanted * len(seeds)
    assert len({str(one.configuration) for one in experiments}) == wanted * len(seeds)
    assert all(one.configuration.training.epochs == 3 for one in experiments)


@given(st.dictionaries(st.sampled_from(["hidden_size", "epochs", "seed"]), st.integers(1, 9)))
def test_a_grid_of_one_is_what_train_would_make(options):
    base = {name: value for name, value in options.items() if name != "seed"}
    seed = options.get("seed", 1)
    grid = expand(Description(base=base, seeds=(seed,)), "study")
    made = resolve(base, {"seed": seed})
    assert grid.rows == {"base": (replace(made, data=named(made.data)),)}


def test_rows_are_multiplied_by_varied_options():
    rows = [("a", {"trees": "left"}), ("b", {"trees": "right"})]
    grid = expand(Description(rows=rows, vary={"hidden_size": [8, 16]}), "study")
    assert list(grid.rows) == [
        "a, hidden_size=8", "a, hidden_size=16", "b, hidden_size=8", "b, hidden_size=16",
    ]  # fmt: skip
    assert grid.rows["b, hidden_size=16"][0].trees.trees == "right"


def test_values_of_flags_have_the_types_of_their_options():
    assert parse_vary("trees=balanced, left") == ("trees", ["balanced", "left"])
    assert parse_vary("--hidden-size=100,300") == ("hidden_size", [100, 300])
    assert parse_vary("learning_rate=1e-3,2") == ("learning_rate", [0.001, 2.0])
    assert parse_vary("tracker=true,off") == ("tracker", [True, False])
    assert parse_seeds("3, 1") == (3, 1)


@pytest.mark.parametrize(
    ("flag", "cause"),
    [
        ("trees", "names no values"),
        ("hidden_size=", "names no values"),
        ("hidden_size=1.5", "'1.5' is not a whole number"),
        ("tracker=perhaps", "true or false"),
        ("hiden_size=3", "Did you mean hidden_size"),
        ("seed=1,2", "--seeds 1,2,3"),
        ("train=a,b", "[[row]]"),
    ],
)
def test_flags_that_cannot_be_read(flag, cause):
    with pytest.raises(SpinnError, match="--vary") as caught:
        parse_vary(flag)
    assert cause in str(caught.value)


@pytest.mark.parametrize("text", ["", "1,1", "a", "-1", "1.5", "1,,2"])
def test_seeds_that_are_none(text):
    with pytest.raises(SpinnError, match="Write --seeds 1,2,3"):
        parse_seeds(text)


BAD_FILES = {
    "no TOML": ("seeds = [1", "it is no TOML"),
    "unknown part": ("epochs = 3", "'epochs' is no part of a study"),
    "unknown option": ("[base]\nepoch = 3", "Did you mean epochs"),
    "unknown group": ("[base.modle]\nhidden_size = 3", "Groups are data, model"),
    "no table": ("base = 3", "[base] is no table"),
    "row without list": ("[row]\nname = 'a'", "Begin each row with [[row]]"),
    "nameless row": ("[[row]]\ntrees = 'left'", "row 1 has no name"),
    "blank name": ("[[row]]\nname = '//'", "its name is blank"),
    "equal names": ("[[row]]\nname = 'a b'\n[[row]]\nname = 'A/B'", "'A/B' cannot be told from"),
    "seeds": ("seeds = [1, 1]", "Write seeds = [1, 2, 3]"),
    "boolean seed": ("seeds = [true]", "Write seeds = [1, 2, 3]"),
    "seed in base": ("[base]\nseed = 3", "Give seeds = [1, 2, 3] instead"),
    "varied value": ("[vary]\nepochs = 3", "Write epochs = [VALUE, VALUE]"),
    "value twice": ("[vary]\nepochs = [3, 3]", "with a value twice"),
    "wrong type": ("[[row]]\nname = 'a'\nepochs = 'many'", "row 'a': The option epochs is 'many'"),
    "out of range": ("[[row]]\nname = 'a'\nepochs = 0", "row 'a': --epochs is 0"),
    "no preset": ("[base]\npreset = 'no'", "There is no preset 'no'; choose from"),
    "idle": (
        "[base]\ntracker = true\n[[row]]\nname = 'a'\nencoder = 'lstm'",
        "row 'a': --tracker does nothing here; it belongs to --encoder spinn. "
        "Set an option in those rows only",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_are_no_study(tmp_path, name):
    text, cause = BAD_FILES[name]
    path = written(tmp_path, text)
    with pytest.raises(SpinnError) as caught:
        expand(read_description(path), "study")
    assert str(caught.value).startswith(str(path))
    assert cause in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(SpinnError, match=r"nothing\.toml: it cannot be read"):
        read_description(tmp_path / "nothing.toml")


def test_flags_lie_above_the_base_and_never_hide_below_rows(tmp_path):
    description = read_description(written(tmp_path, STUDY))
    grid = expand(overlay(description, {"epochs": 7}, {"batch_size": [4, 8]}, (9,)), "study")
    assert {one.training.epochs for row in grid.rows.values() for one in row} == {7}
    assert len(grid.rows) == 4
    assert grid.seeds == (9,)
    with pytest.raises(SpinnError, match="set hidden_size, which the command line sets too"):
        overlay(description, {"hidden_size": 3}, {}, None)
    with pytest.raises(SpinnError, match="Give --seeds"):
        overlay(description, {"seed": 3}, {}, None)


@given(st.text())
def test_folders_have_names_that_any_file_system_takes(name):
    assert all(sign.isascii() and (sign.isalnum() or sign in "._=+-") for sign in folder_name(name))
    assert not folder_name(name).startswith((".", "-"))


def test_an_option_has_one_place(tmp_path):
    """A row named after its trees must not get others from [vary]."""
    path = tmp_path / "study.toml"
    path.write_text('[[row]]\nname = "left"\ntrees = "left"\n[vary]\ntrees = ["balanced"]\n')
    with pytest.raises(SpinnError, match=r"study.toml.*row 'left' sets trees, which \[vary\] sets"):
        expand(read_description(path), "study")


def test_a_seed_in_a_configuration_file_is_refused():
    with pytest.raises(SpinnError, match=r"configuration file sets the seed. Give --seeds 1,2,3"):
        overlay(Description(base={"seed": 7}), {}, {}, None)
    description = overlay(Description(base={"seed": 7}), {}, {}, (3,))
    (configuration,) = expand(description, "study").rows["base"]
    assert configuration.training.seed == 3
