"""Runs of an earlier version, in which a parser apart came after the classifier, are continued."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from machine import alike
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim import Optimizer
from toys import small_configuration, small_model

from spinn.config import Configuration
from spinn.data.prepare import load_corpus
from spinn.learning.optimizers import make_optimizer
from spinn.model.pair import PairModel
from spinn.pretrained import load_trained
from spinn.training import run
from spinn.training.loop import Interruption, Trainer
from spinn.training.run_directory import RunDirectory
from spinn.training.state import in_present_order

OWN_PARSER = {"parser": "own", "parser_size": 8, "tracker_size": 4, "trees": "sampled"}
CASES: dict[str, dict[str, Any]] = {
    "one group": {},
    "two groups": {"policy_learning_rate": 0.02},
    "momentum": {"optimizer": "sgd", "samples": 2, "baseline": "leave-one-out"},
    "teacher": {"trees": "predicted"},
}


def optimizer_of(configuration: Configuration, model: PairModel, objective: nn.Module) -> Optimizer:
    reinforce = configuration.reinforce
    rate = None if reinforce is None else reinforce.policy_learning_rate
    return make_optimizer(configuration.optimizer, model, objective, rate)


def to_former(path: Path) -> None:
    """Rewrite the last checkpoint of a run as an earlier version would have written it."""
    opened = RunDirectory.open(path)
    weights_file = opened.checkpoint("last") / "weights.safetensors"
    weights = load_file(weights_file)
    former = {}
    for name, value in weights.items():
        name = name.replace("encoder.composer.", "composed.").replace("encoder.parser.", "parser.")
        former[name.replace("composed.", "encoder.")] = value
    save_file(former, weights_file)
    configuration = opened.configuration()
    corpus = load_corpus(configuration.data)
    model = small_model(configuration, corpus)
    objective = configuration.build_objective(2)
    optimizer = optimizer_of(configuration, model, objective)
    encoder = model.encoder
    parts = [model.leaves, encoder.composer, model.classifier, encoder.parser, objective]
    order = {id(p): n for n, p in enumerate(p for part in parts for p in part.parameters())}
    state = opened.training_state()
    groups, saved = state["optimizer"]["param_groups"], state["optimizer"]["state"]
    moved, number = {}, 0
    for group, own in zip(groups, optimizer.param_groups, strict=True):
        numbers = dict(zip(map(id, own["params"]), group["params"], strict=True))
        for parameter in sorted(own["params"], key=lambda one: order[id(one)]):
            if numbers[id(parameter)] in saved:
                moved[number] = saved[numbers[id(parameter)]]
            number += 1
    state["optimizer"]["state"] = moved
    torch.save(state, opened.checkpoint("last") / "training.pt")


@pytest.mark.parametrize("name", CASES)
def test_a_former_run_continues_exactly(toy_folder, tmp_path, monkeypatch, name):
    configuration = small_configuration(toy_folder, **{**OWN_PARSER, **CASES[name]}, log_steps=1)
    run.train(configuration, tmp_path / "whole")
    step = Trainer._step

    def stopping(self: Trainer, *arguments: Any) -> dict[str, float]:
        if self.progress.step == 2:
            self._stop_asked = True
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", stopping)
        with pytest.raises(Interruption):
            run.train(configuration, tmp_path / "part")
    to_former(tmp_path / "part")
    run.resume(tmp_path / "part")
    whole, part = (load_trained(tmp_path / one, "last") for one in ("whole", "part"))
    expected = whole.model.state_dict()
    for weight, value in part.model.state_dict().items():
        assert alike(value, expected[weight]), weight
    metrics = [
        [json.loads(line).get("loss") for line in (tmp_path / one / "metrics.jsonl").open()]
        for one in ("whole", "part")
    ]
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-6)


def test_the_state_of_each_parameter_is_found(toy_folder):
    """Each parameter is stamped with its position among the parameters in former order."""
    configuration = small_configuration(toy_folder, **OWN_PARSER)
    model = small_model(configuration, load_corpus(configuration.data))
    optimizer = optimizer_of(configuration, model, configuration.build_objective(2))
    encoder = model.encoder
    parts = [model.leaves, encoder.composer, model.classifier, encoder.parser]
    former = [parameter for part in parts for parameter in part.parameters()]
    state = {
        "state": {n: {"step": torch.tensor(float(n))} for n in range(len(former))},
        "param_groups": [optimizer.state_dict()["param_groups"][0]],
    }
    optimizer.load_state_dict(in_present_order(state, optimizer, model))
    found = [int(optimizer.state[parameter]["step"]) for parameter in former]
    assert found == list(range(len(former)))
