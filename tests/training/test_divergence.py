"""Training that diverges, or outgrows memory: one error, no NaN in files, the checkpoint before."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from machine import OUT_OF_MEMORY
from safetensors.torch import load_file, save_file
from toys import small_configuration

from spinn.commands.main import main
from spinn.evaluation import plots
from spinn.model.pair import PairModel
from spinn.pretrained import load_trained
from spinn.studies.run import RunState, perform, run_state
from spinn.support.errors import SpinnError
from spinn.training import run
from spinn.training.pairs import PairTask
from spinn.training.run_directory import RunDirectory

BATCHES = 6  # of the toy's 44 pairs, 8 in a batch


@pytest.fixture(autouse=True)
def _no_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "plot_learning_curve", lambda *arguments: None)


def refuse(constant: str) -> None:
    raise ValueError(constant)


def assert_json(path: Path) -> None:
    """Check that no file of a run has NaN or Infinity."""
    for file in [*path.glob("*.json"), *path.glob("*.jsonl")]:
        for text in [file.read_text()] if file.suffix == ".json" else file.open():
            json.loads(text, parse_constant=refuse)


def after(monkeypatch: pytest.MonkeyPatch, epoch: int, act: Callable[[PairTask], None]) -> None:
    """Call ``act`` before the evaluation of an epoch."""
    done, evaluate = 0, PairTask.evaluate

    def changed(self: PairTask) -> dict[str, float]:
        nonlocal done
        done += 1
        if done == epoch:
            act(self)
        return evaluate(self)

    monkeypatch.setattr(PairTask, "evaluate", changed)


def blow_up(task: PairTask) -> None:
    """Make the weights so large that products overflow, as a step with a large rate does."""
    with torch.no_grad():
        for weight in task.model.parameters():
            weight.fill_(1e30)


def test_a_large_rate_in_the_only_step_is_an_error(toy_folder, tmp_path, capsys):
    """No other step follows whose loss would show it."""
    path, configuration = tmp_path / "run", tmp_path / "configuration.json"
    options = {"learning_rate": 1e12, "batch_size": 100, "epochs": 1, "schedule": "constant"}
    configuration.write_text(json.dumps(small_configuration(toy_folder, **options).as_dict()))
    assert main(["train", "--config", str(configuration), "--output", str(path)]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        "spinn: The dev loss is nan in epoch 1. There is no checkpoint yet; lower --learning-rate "
        "or --clip."
    )
    assert not (path / "results.json").exists()
    assert not (path / "checkpoints.json").exists()
    assert_json(path)
    run.train(small_configuration(toy_folder, epochs=1), path)  # the folder can be used again


def test_a_dev_loss_that_is_not_finite_leaves_the_best_checkpoint(
    toy_folder, tmp_path, monkeypatch
):
    path = tmp_path / "run"
    after(monkeypatch, 2, blow_up)
    with pytest.raises(SpinnError, match=r"The dev loss is (nan|inf) in epoch 2\.") as caught:
        run.train(small_configuration(toy_folder, epochs=3), path)
    best = RunDirectory.open(path).checkpoint("best")
    assert f"The best checkpoint, {best}, is kept" in str(caught.value)
    assert best.name == f"step-{BATCHES:08d}"
    load_trained(path)
    assert_json(path)
    run.resume(path)  # from the end of the first epoch
    assert [RunDirectory.open(path).training_state()["progress"]["epoch"]] == [3]


def test_spoiled_weights_are_not_saved_whatever_the_dev_loss(toy_folder, tmp_path, monkeypatch):
    """As those of a word that no sentence of dev has."""

    def spoil(self: PairTask, figures: dict[str, float]) -> float:
        with torch.no_grad():
            next(self.model.parameters())[-1] = math.nan
        return figures["accuracy"]

    path = tmp_path / "run"
    monkeypatch.setattr(PairTask, "score", spoil)
    with pytest.raises(SpinnError, match=r"Weights are not finite after step 6\. There is no"):
        run.train(small_configuration(toy_folder), path)
    assert not (path / "checkpoints.json").exists()


def test_figures_of_the_best_model_are_finite(toy_folder, tmp_path, monkeypatch):
    """The dev set may be too easy to show that the test set overflows."""
    score = run._score

    def spoiled(*arguments: Any) -> dict[str, Any]:
        return score(*arguments) | {"loss": math.inf}

    monkeypatch.setattr(run, "_score", spoiled)
    with pytest.raises(SpinnError, match=r"dev\.loss is inf: the model has diverged"):
        run.train(small_configuration(toy_folder, epochs=1), tmp_path / "run")
    assert not (tmp_path / "run" / "results.json").exists()


@OUT_OF_MEMORY
@pytest.mark.parametrize(
    ("owner", "name", "message"),
    [
        (PairTask, "forward", r"^Batch 1 of epoch 1 does not fit .*--batch-size"),
        (run, "_build", r"^The model does not fit .*--hidden-size"),
    ],
    ids=["batch", "model"],
)
def test_what_does_not_fit_into_memory(
    toy_folder, tmp_path, monkeypatch, error, owner, name, message
):
    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(owner, name, fail)
    with pytest.raises(SpinnError, match=message):
        run.train(small_configuration(toy_folder), tmp_path / "run")


@OUT_OF_MEMORY
@pytest.mark.parametrize("room", [3, 0])
def test_an_evaluation_that_does_not_fit_into_memory_goes_on_with_smaller_batches(
    toy_folder, tmp_path, monkeypatch, caplog, error, room
):
    forward = PairModel.forward

    def bounded(model: PairModel, words: torch.Tensor, lengths: torch.Tensor, plan: Any) -> Any:
        if not model.training and len(lengths) > 2 * room:
            raise error
        return forward(model, words, lengths, plan)

    configuration = small_configuration(toy_folder, epochs=1)
    expected = run.train(configuration, tmp_path / "whole")
    monkeypatch.setattr(PairModel, "forward", bounded)
    if room == 0:
        with pytest.raises(SpinnError, match=r"The memory of c.* is too small for one of the"):
            run.train(configuration, tmp_path / "run")
        return
    found = run.train(configuration, tmp_path / "run")
    assert found["dev"]["accuracy"] == expected["dev"]["accuracy"]
    assert "Out of memory; going on with 2 examples at a time." in caplog.text


def test_a_study_does_not_measure_a_run_that_diverged(toy_folder, tmp_path):
    path = tmp_path / "run"
    options = {"learning_rate": 1e12, "batch_size": 100, "epochs": 1, "schedule": "constant"}
    with pytest.raises(SpinnError, match="The dev loss is nan"):
        perform(small_configuration(toy_folder, **options), path)
    assert run_state(path) is RunState.NEW


def test_weights_that_are_not_finite_are_not_loaded(toy_folder, tmp_path):
    path = tmp_path / "run"
    run.train(small_configuration(toy_folder, epochs=1), path)
    file = RunDirectory.open(path).checkpoint("best") / "weights.safetensors"
    weights = load_file(file)
    next(value for value in weights.values() if value.is_floating_point())[0] = math.inf
    save_file(weights, file)
    with pytest.raises(SpinnError, match="is not finite; the model has diverged"):
        load_trained(path)
