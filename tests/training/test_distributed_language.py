"""Language models in several processes against one: the same weights and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crew import Crew, all_well, command, forbid_writing, stop_last, train_languages
from labelled_trees import SENTENCES
from safetensors.torch import load_file
from torch import Tensor

from spinn.commands.main import main
from spinn.evaluation import plots
from spinn.language.config import LanguageConfiguration
from spinn.language.fragments import FragmentConfiguration
from spinn.training import fragment_run, language_run
from spinn.training.log import read_metrics
from spinn.training.run_directory import RunDirectory

SMALL: dict[str, Any] = {
    "embedding_size": 6,
    "hidden_size": 8,
    "epochs": 2,
    "log_steps": 1,
    "threads": 1,
    "device": "cpu",
    "tensorboard": False,
    # It does not magnify rounding, as an optimiser would that divides small gradients by their size
    "optimizer": "sgd",
    "learning_rate": 0.3,
}
PENALTIES = {"activation_penalty": 2.0, "temporal_penalty": 1.0}
# Three streams are one and two of two processes.
STREAMS = SMALL | PENALTIES | {"unit": "char", "layers": 2, "batch_size": 3, "steps": 15}
# Averaging begins after the third epoch, and ends after the fourth.
AVERAGED = STREAMS | {"optimizer": "nt-asgd", "trigger_evaluations": 1, "vary_steps": True}
# One of three processes has a stream that ends before the last window.
ENDED = SMALL | PENALTIES | {"unit": "char", "batch_size": 4, "steps": 1, "cell": "gru"}
WORDS = SMALL | PENALTIES | {"unit": "word", "layout": "sentences", "batch_size": 4, "layers": 1}
del WORDS["hidden_size"]  # the only layer is as wide as an embedding
DROPS = {"input_dropout": 0.2, "output_dropout": 0.2, "weight_dropout": 0.3, "word_dropout": 0.1}


@pytest.fixture(autouse=True)
def _no_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write texts and trees."""
    folder = tmp_path_factory.mktemp("texts")
    random, subjects = np.random.default_rng(0), ["a dog", "the big cat", "one bird", "it"]
    lines = [f"{random.choice(subjects)} runs .\n" for _ in range(12)]
    # Batches of 4 sentences: the last has 2, too few for three processes; some have one word.
    (folder / "train.txt").write_text("".join(lines) + "\n\n\nno\nyes\nno\n")
    # Dev is unlike train and becomes less probable, so that averaging begins.
    (folder / "dev.txt").write_text("zzzz\n" * 3)
    (folder / "short.txt").write_text("abcd\n")
    trees = [one.replace("dog", word) for one in SENTENCES for word in ("dog", "cat", "bird")]
    (folder / "trees.txt").write_text("\n".join(trees))
    return folder


def on_text(folder: Path, options: dict[str, Any], name: str = "train") -> LanguageConfiguration:
    files = {"train": [str(folder / f"{name}.txt")], "dev": [str(folder / "dev.txt")]}
    return LanguageConfiguration.resolve(files, options)


def on_trees(folder: Path, **options: Any) -> FragmentConfiguration:
    shape = {"embedding_size": 6, "hidden_size": 8, "dropout": 0.0, "minimum_count": 1}
    files = {"train": [str(folder / "trees.txt")]}
    return FragmentConfiguration.resolve(
        SMALL, shape, files, {"batch_size": 2, "type_loss": 0.5}, options
    )


def stored(path: Path) -> dict[str, Tensor]:
    return load_file(RunDirectory(path).checkpoint("last") / "weights.safetensors")


def figures(path: Path) -> list[dict[str, Any]]:
    """Read the metrics, without what a clock measured."""
    lines = read_metrics(RunDirectory(path).metrics)
    return [{k: v for k, v in line.items() if k not in ("seconds", "speed")} for line in lines]


def assert_same(one: Path, other: Path, *, atol: float = 1e-6) -> None:
    weights, others = stored(one), stored(other)
    for name, value in weights.items():
        torch.testing.assert_close(value, others[name], rtol=0, atol=atol, msg=name)
    for line, other_line in zip(figures(one), figures(other), strict=True):
        assert line == pytest.approx(other_line, abs=1e-3)
    states = [RunDirectory(path).training_state()["objective"] for path in (one, other)]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=10 * atol, msg=name)


def flags(path: Path, configuration: LanguageConfiguration | FragmentConfiguration) -> list[str]:
    """Write a configuration as a person would give it on the command line."""
    file = path.with_suffix(".json")
    file.write_text(json.dumps(configuration.as_dict()))
    return ["lm", "train", "--config", str(file), "--output", str(path)]


def test_two_processes_carry_the_state_of_three_streams(folder, tmp_path):
    alone, base = tmp_path / "alone", tmp_path / "alone" / "plain"
    runs = [
        (tmp_path / "plain", on_text(folder, STREAMS)),
        (tmp_path / "averaged", on_text(folder, AVERAGED | {"epochs": 5})),
        (tmp_path / "fine", (base, {"epochs": 1, "learning_rate": 0.1})),
    ]
    for path, options in runs[:2]:
        language_run.train_language_model(options, alone / path.name)
    language_run.finetune_language_model(*runs[2][1], alone / "fine")
    all_well(2, train_languages, runs)
    for path, _ in runs:
        assert_same(alone / path.name, path)
    averaged, expected = (
        RunDirectory(folder / "averaged").training_state()["optimizer"]
        for folder in (tmp_path, alone)
    )
    assert averaged["param_groups"][0]["averaged"] > 0
    for key, value in expected["state"].items():
        torch.testing.assert_close(averaged["state"][key]["average"], value["average"])


def test_a_process_without_tokens_leaves_no_other_waiting(folder, tmp_path):
    """At the end of the streams, and in the last batch of sentences or trees."""
    base = tmp_path / "alone" / "words"
    runs = [
        (tmp_path / "ended", on_text(folder, ENDED, "short")),
        (tmp_path / "untied", on_text(folder, ENDED | {"tied": False}, "short")),
        (tmp_path / "words", on_text(folder, WORDS)),
        (tmp_path / "shared", on_text(folder, WORDS | {"embeddings_of": str(base)})),
        (tmp_path / "trees", on_trees(folder)),
    ]
    for path, options in runs:
        train = language_run.train_language_model
        if isinstance(options, FragmentConfiguration):
            train = fragment_run.train_fragment_model
        train(options, tmp_path / "alone" / path.name)
    all_well(3, train_languages, runs)
    for path, _ in runs:
        assert_same(tmp_path / "alone" / path.name, path)


@pytest.mark.parametrize(("kind", "count"), [("streams", 1), ("streams", 3), ("trees", 3)])
def test_a_run_of_two_processes_is_resumed_by_others(kind, count, folder, tmp_path):
    configuration = on_trees(folder) if kind == "trees" else on_text(folder, STREAMS)
    assert main(flags(tmp_path / "alone", configuration)) == 0
    path = tmp_path / "run"
    assert Crew(2, command, tmp_path, flags(path, configuration), stop_last).statuses() == [130] * 2
    said = (tmp_path / "err0").read_text()
    assert said.count("Stopped and saved. Go on with: torchrun --standalone") == 1
    assert (tmp_path / "err1").read_text() == ""
    assert RunDirectory(path).training_state()["progress"]["step"] == 8
    resumed = ["lm", "train", "--resume", str(path)]
    if count == 1:
        assert main(resumed) == 0
    else:
        assert Crew(count, command, tmp_path, resumed).statuses() == [0] * count
    assert_same(tmp_path / "alone", path)


def test_a_run_goes_on_exactly_with_as_many_processes(folder, tmp_path):
    options = on_text(folder, AVERAGED | DROPS | {"epochs": 3, "checkpoint_steps": 4})
    whole, path = tmp_path / "whole", tmp_path / "run"
    crew = Crew(2, command, tmp_path, flags(whole, options), forbid_writing)
    assert crew.statuses() == [0, 0]
    assert (tmp_path / "err0").read_text().count("on 2 processes (cpu)") == 1
    assert Crew(2, command, tmp_path, flags(path, options), stop_last).statuses() == [130] * 2
    assert Crew(2, command, tmp_path, ["lm", "train", "--resume", str(path)]).statuses() == [0, 0]
    assert_same(whole, path, atol=0.0)


def test_more_processes_than_streams_do_not_resume_a_run(folder, tmp_path):
    path = tmp_path / "run"
    configuration = on_text(folder, STREAMS | {"batch_size": 1, "epochs": 1})
    language_run.train_language_model(configuration, path)
    crew = Crew(2, command, tmp_path, ["lm", "train", "--resume", str(path)])
    assert crew.statuses() == [2, 2]
    assert (tmp_path / "err0").read_text() == (
        "spinn: --batch-size 1 is the number of streams, which are divided among the processes; "
        "start at most 1 of them, not 2.\n"
    )
