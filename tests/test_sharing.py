"""Saving a model to share it: weights in bfloat16, and a model card."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toys import small_configuration, write_corpus

import spinn
from spinn.model_card import model_card
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


def test_saving_needs_no_package_of_the_hub(run, tmp_path):
    code = (
        "import sys, torch, spinn; "
        "sys.modules['huggingface_hub'] = None; "
        f"spinn.load({str(run)!r}).save_pretrained({str(tmp_path / 'model')!r}, dtype=torch.half)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert (tmp_path / "model" / "README.md").is_file()
