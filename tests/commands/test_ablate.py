"""``spinn ablate`` from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spinn.commands.main import main
from spinn.studies import study as studies
from spinn.studies.study import study_names

ROOT = Path(__file__).parents[2]
PAIRS = [
    ("entailment", "( ( a dog ) runs )", "( something moves )"),
    ("neutral", "( ( a dog ) runs )", "( ( a dog ) ( runs fast ) )"),
    ("contradiction", "( ( a dog ) runs )", "( nothing moves )"),
]
SMALL = [
    *("--hidden-size", "8", "--embedding-size", "6", "--classifier-width", "8", "--epochs", "1"),
    *("--batch-size", "4", "--threads", "1", "--no-tensorboard", "--no-cache", "--device", "cpu"),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    rows = [
        json.dumps(
            {
                "gold_label": label,
                "sentence1": premise.replace("( ", "").replace(" )", ""),
                "sentence2": hypothesis.replace("( ", "").replace(" )", ""),
                "sentence1_binary_parse": premise,
                "sentence2_binary_parse": hypothesis,
            }
        )
        for label, premise, hypothesis in PAIRS * 5
    ]
    for split in ("train", "dev"):
        (folder / f"{split}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


def test_a_study_from_flags_and_writing_its_table_again(corpus, tmp_path, capsys):
    pytest.importorskip("torchtext")
    output = tmp_path / "out"
    arguments = ["ablate", "--vary", "trees=left,gold", "--seeds", "3", "--data", str(corpus)]
    arguments += ["--output", str(output), *SMALL]
    assert main([*arguments, "--jobs", "2"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("| row | seeds | dev |")
    assert "| trees=gold | 1 |" in captured.out
    assert "Rows: 2, seeds: 1;" in captured.err
    assert {path.name for path in output.iterdir() if path.is_dir()} == {
        "trees=left-seed3", "trees=gold-seed3",
    }  # fmt: skip
    assert main([*arguments, "--table-only", "--against", "trees=gold"]) == 0
    again = capsys.readouterr()
    assert "difference from trees=gold" in again.out
    assert "starting" not in again.err
    (output / "study.json").unlink()
    assert main([*arguments, "--seeds", "3,4", "--table-only"]) == 0
    assert "seed 4, not begun" in capsys.readouterr().out
    assert json.loads((output / "study.json").read_text(encoding="utf-8"))["seeds"] == [3, 4]
    # With a changed option, the existing runs belong to another study.
    assert main([*arguments, "--epochs", "2"]) == 2
    assert "epochs 1 where the study has 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["nothing.toml"], "nothing.toml: there is no such"),
        (["--jobs", "0"], "--jobs is 0"),
        (["--vary", "trees=left", "--trees", "gold"], "exclude each other"),
        (["--vary", "preset=sample", "--preset", "snli"], "exclude each other"),
        (["--vary", "trees=left", "--vary", "trees=gold"], "given twice"),
        (["--vary", "trees=up,left"], "Row 'trees=up': --trees cannot be 'up'"),
        (["--against", "none"], "choose from 'base'"),
        (["--seed", "3"], "--seeds 1,2,3"),
        (["--table-only", "--output", "nowhere"], "no run of the study is finished"),
    ],
)
def test_invalid_arguments_are_rejected(tmp_path, monkeypatch, capsys, arguments, cause):
    monkeypatch.chdir(tmp_path)
    assert main(["ablate", *arguments]) == 2
    error = capsys.readouterr().err
    assert cause in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_studies_are_listed_and_name_the_files_they_need(capsys):
    assert main(["ablate", "--list-experiments"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == study_names()
    assert main(["ablate", "--experiment", "logic-gold", "--train", "x", "--also", "8=y"]) == 2
    error = capsys.readouterr().err
    assert "--dev FILES (test5)" in error
    assert "--also 7=FILE (test7 of spinn generate logic)" in error
    assert "--train" not in error
    assert "8=FILE" not in error


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--experiment", "none"], "There is no study called 'none'; choose from "),
        (
            ["--experiment", "sample", "--seeds", "1", "2"],
            "2 is not the file of a study, FILE.toml",
        ),
        (["some.toml", "--experiment", "sample"], "--experiment and some.toml exclude each other"),
        (["--experiment", "sample", "--preset", "logic"], "--preset and sample.toml exclude"),
    ],
)
def test_conflicting_flags_are_rejected(capsys, arguments, cause):
    assert main(["ablate", *arguments]) == 2
    assert cause in capsys.readouterr().err


def test_a_study_of_the_catalogue_is_run(corpus, tmp_path, capsys, monkeypatch):
    pytest.importorskip("torchtext")
    monkeypatch.setattr(studies, "CATALOGUE", tmp_path)
    (tmp_path / "toy.toml").write_text(
        'seeds = [3]\n[study]\ntitle = "T"\ntask = "t"\n'
        'needs = {train = "a", dev = "b", 7 = "c", 8 = "d"}\n'
        'published = [{model = "LSTM", accuracy = {dev = 50, 7 = 40.5}, source = "them"}]\n'
        'expected = [{model = "bag", accuracy = {7 = 60}}]\n'
        '[[row]]\nname = "bag"\nencoder = "bow"\n'
    )
    files = ["--data", str(corpus), "--also", f"7={corpus / 'dev.jsonl'}"]
    files += ["--also", f"8={corpus / 'train.jsonl'}"]
    arguments = ["ablate", "--experiment", "toy", "--output", str(tmp_path / "out")]
    assert main([*arguments, *files, *SMALL]) == 0
    table = capsys.readouterr().out
    assert "- Published: LSTM: 50, 40.5 on dev, 7 (them)." in table
    assert "- Expected: bag: 60 on 7." in table
    header, _, bag = (line.split(" | ") for line in table.splitlines()[:3])
    assert bag[header.index("7")] == bag[header.index("dev")]
    assert "8" in header


def test_preset_and_file_exclude_each_other(tmp_path, capsys):
    study = tmp_path / "study.toml"
    study.write_text("[base]\nepochs = 1\n")
    assert main(["ablate", str(study), "--preset", "logic"]) == 2
    assert "[base] of the file" in capsys.readouterr().err


def test_an_interruption_says_how_to_continue(corpus, tmp_path):
    pytest.importorskip("torchtext")
    study = tmp_path / "study.toml"
    study.write_text(f'seeds = [1]\n[base]\ndata = "{corpus}"\n[[row]]\nname = "a"\n')
    output = tmp_path / "out"
    flags = ["--hidden-size", "8", "--embedding-size", "6", "--threads", "1", "--no-tensorboard"]
    process = subprocess.Popen(
        [sys.executable, "-m", "spinn", "ablate", str(study), "--output", str(output), *flags,
         "--no-cache", "--epochs", "5000", "--batch-size", "4"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("a-seed1: epoch 2/"):
            process.send_signal(2)
            break
    output_tail = process.stderr.read()
    assert process.wait(timeout=60) == 130, "".join(lines) + output_tail
    assert "0 of 1 runs are done. Repeat the command to continue." in output_tail
    assert "Traceback" not in output_tail
    assert (output / "a-seed1" / "checkpoints.json").exists()
