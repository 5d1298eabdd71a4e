"""Sharing a model: weights in bfloat16, a model card, and the Hugging Face Hub, without network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from toys import small_configuration, write_corpus

import spinn
from spinn.commands.main import main
from spinn.model_card import model_card
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.training.run import train
from spinn.weights import read_weights

ROOT = Path(__file__).parents[1]
PAIR = ("( some ( dog runs ) )", "( some dog )")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run."""
    folder = tmp_path_factory.mktemp("shared")
    corpus = write_corpus(folder / "pairs")
    train(small_configuration(corpus, epochs=1), folder / "run")
    return folder / "run"


def test_a_model_saved_in_half_the_size_predicts_the_same_up_to_rounding(run, tmp_path):
    whole = spinn.load(run, trees="right")
    whole.save_pretrained(tmp_path / "model", dtype=torch.bfloat16)
    half = spinn.load(str(tmp_path / "model"), trees="right")
    assert {p.dtype for p in half.trained.model.parameters()} == {torch.float32}
    assert half.encode("some dog") == pytest.approx(whole.encode("some dog"), abs=0.02)
    half.save_pretrained(tmp_path / "again", dtype=torch.bfloat16)
    first, second = (
        read_weights(tmp_path / name / "weights.safetensors") for name in ("model", "again")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_card_has_the_figures_of_the_run(run, tmp_path):
    spinn.load(run).save_pretrained(tmp_path / "model", dtype=torch.bfloat16, license="mit")
    card = (tmp_path / "model" / "README.md").read_text()
    results = json.loads((run / "results.json").read_text())
    header, body = card.split("---\n\n", 1)
    assert header.splitlines() == [
        "---",
        'library_name: "spinn-nli"',
        'pipeline_tag: "text-classification"',
        'tags: ["natural-language-inference", "sentence-encoder", "spinn"]',
        'license: "mit"',
    ]
    for line in (
        "# model",
        "| data | `pairs` |",
        f"| trained parameters | {results['weights']:,} |",
        f"| accuracy on dev | {100 * results['dev']['accuracy']:.2f}% |",
        f"| accuracy on test | {100 * results['test']['accuracy']:.2f}% |",
        "| F1 with the parser's trees on dev | 100.00% |",
        "The weights are saved in bfloat16; the scores are those before rounding.",
        f'model = spinn.load("{tmp_path / "model"}")',
    ):
        assert line in body.splitlines()
    code = body.split("```python\n")[1].split("```")[0]
    exec(code.replace('("A dog runs.", "An animal moves.")', repr(PAIR)), {})


def test_the_card_names_only_what_is_known(run, tmp_path):
    trained = spinn.load(run, "last").trained
    card = model_card(trained, "user/name")
    assert "license" not in card
    assert "language:" not in card  # of a corpus that is not one of the package
    assert "accuracy" not in card  # of weights that are not the best
    assert "bfloat16" not in card


def test_the_package_of_the_hub_is_imported_only_for_the_hub(run, tmp_path):
    code = (
        "import sys, torch, spinn; "
        f"model = spinn.load({str(run)!r}); "
        f"model.save_pretrained({str(tmp_path / 'model')!r}, dtype=torch.half); "
        "print('huggingface_hub' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "False\n"
    assert (tmp_path / "model" / "README.md").is_file()


# The Hub.


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return ``huggingface_hub`` without network, which uploads to its own cache."""
    package = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    class Server:
        """The calls of ``HfApi`` that an upload makes."""

        def __init__(self, token: str | None) -> None:
            self.token = token

        def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> Any:
            assert exist_ok
            (tmp_path / "calls.json").write_text(json.dumps([self.token, repo_id, private]))
            return SimpleNamespace(repo_id=repo_id)

        def upload_folder(self, *, repo_id: str, folder_path: Path, revision: str = "main") -> str:
            cached = tmp_path / "cache" / f"models--{repo_id.replace('/', '--')}"
            shutil.copytree(folder_path, cached / "snapshots" / "0f")
            (cached / "refs").mkdir()
            (cached / "refs" / revision).write_text("0f")
            return f"https://example.org/{repo_id}"

    monkeypatch.setattr(package, "HfApi", Server)
    return package


def test_a_model_is_uploaded_and_loaded_by_its_name(run, hub, tmp_path):
    model = spinn.load(run)
    address = model.push_to_hub("user/name", dtype=torch.bfloat16, private=True, token="secret")
    assert address == "https://example.org/user/name"
    assert json.loads((tmp_path / "calls.json").read_text()) == ["secret", "user/name", True]
    for load in (spinn.load, spinn.Predictor.from_pretrained):
        loaded = load("user/name")
        assert loaded.predict(PAIR).label == model.predict(PAIR).label
    card = (tmp_path / "cache/models--user--name/snapshots/0f/README.md").read_text()
    assert 'spinn.load("user/name")' in card
    with pytest.raises(SpinnError, match="cannot be reached"):
        spinn.load("user/name", revision="v1")
    model.push_to_hub("user/other", revision="v1")
    assert spinn.load("user/other", revision="v1").labels == model.labels


def test_a_folder_comes_before_a_name_on_the_hub(run, hub, tmp_path):
    spinn.load(run).save_pretrained("user/name")
    assert spinn.load("user/name").trained.results == Path("user/name/results.json")
    with pytest.raises(ConfigurationError, match="user/name has no revisions"):
        spinn.load("user/name", revision="v1")
    with pytest.raises(SpinnError, match="user/nome: this is no run"):  # not looked for elsewhere
        spinn.load("user/nome")


def test_commands_take_the_name_of_a_model(run, hub):
    spinn.load(run).push_to_hub("user/name")
    assert main(["evaluate", "user/name"]) == 0
    assert main(["predict", "user/name", *PAIR]) == 0


def test_a_name_that_cannot_be_found_is_one_sentence(tmp_path):
    pytest.importorskip("huggingface_hub")
    done = subprocess.run(
        [sys.executable, "-m", "spinn", "predict", "user/nowhere", *PAIR],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)},
    )
    assert done.returncode == 2
    assert done.stderr == (
        "spinn: user/nowhere: there is no such folder here, and the Hugging Face Hub cannot be "
        "reached. Check the name, the connection, and HF_HUB_OFFLINE.\n"
    )
