"""``spinn lm`` as a person calls it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from machine import NEEDS_PIPES

from spinn.commands.main import main

SMALL = [
    *("--embedding-size", "5", "--layers", "1", "--batch-size", "3"),
    *("--epochs", "1", "--threads", "1", "--device", "cpu", "--no-tensorboard"),
]
STREAMS = [*SMALL, "--steps", "8", "--dev-streams", "2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    (folder / "text.txt").write_text("To be or not to be.\n" * 20)
    arguments = ["lm", "train", "--text", str(folder / "text.txt"), "--unit", "char"]
    assert main([*arguments, *STREAMS, "--output", str(folder / "run")]) == 0
    return folder / "run"


def call(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> tuple[str, str]:
    assert main(["lm", *arguments]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_training_writes_a_run_with_a_curve(run):
    names = {path.name for path in run.iterdir()}
    assert {"config.json", "vocabulary.json", "results.json", "learning_curve.png"} <= names


def test_evaluation_prints_perplexity_with_and_without_a_cache(run, capsys):
    plain, _ = call(capsys, "evaluate", str(run), "--split", "test")
    assert plain.startswith("perplexity ")
    assert "a char, 40 characters" in plain
    cache = ["--cache-window", "20", "--theta", "0.5", "--lambda", "0.2"]
    cached, _ = call(capsys, "evaluate", str(run), "--split", "test", *cache)
    assert cached != plain
    blocks, _ = call(capsys, "evaluate", str(run), "--split", "test", *cache, "--block", "3")
    assert blocks == cached
    files = ["--files", str(run.parent / "text.txt")]
    assert "400 characters" in call(capsys, "evaluate", str(run), *files)[0]


def test_generation_prints_text(run, capsys):
    arguments = ["generate", str(run), "--prefix", "To", "--length", "9", "--seed", "3"]
    text, _ = call(capsys, *arguments)
    assert text.startswith("To")
    assert len(text) == len("To") + 9 + 1
    assert call(capsys, *arguments)[0] == text


def test_fine_tuning_writes_another_run(run, capsys):
    output = ["--output", str(run.parent / "fine")]
    call(capsys, "finetune", str(run), "--learning-rate", "0.1", *output)
    assert (run.parent / "fine" / "results.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "Name the text in one way"),
        (["train", "--resume", "RUN", "--epochs", "3"], "drop --epochs"),
        (["evaluate", "RUN", "--theta", "1"], "--theta and --lambda belong to --cache-window"),
        (["evaluate", "RUN", "--cache-window", "5", "--lambda", "1"], "--lambda is 1.0"),
        (["evaluate", "RUN", "--batch-size", "5"], "--batch-size does nothing with a model of"),
        (["evaluate", "RUN", "--split", "dev", "--files", "a"], "--split is a set of the run"),
        (["generate", "RUN", "--temperature", "-1"], "--temperature is -1.0"),
        (["generate", "RUN", "--temperature", "0", "--seed", "2"], "--seed does nothing with"),
        (["generate", "RUN", "--temperature", "0", "--top-k", "2"], "--top-k does nothing with"),
        (["train", "--corpus", "nowhere"], "nowhere: there is no such folder. Choose snli"),
        (["train", "--corpus", "nowhere"], "or give files of plain text with --text or --train"),
        (["generate", "RUN", "--count", "3"], "--count belongs to models over fragments"),
        (["evaluate", "."], "this is no run"),
        (["train", "--text", "absent.txt"], "absent.txt: there is no such file"),
        (["train", "--preset", "spinn"], "choose from awd, fragments, snli-text, time-machine"),
    ],
)
def test_errors_are_one_sentence(run, arguments, message, capsys):
    given = [str(run) if argument == "RUN" else argument for argument in arguments]
    _, error = call(capsys, *given, status=2)
    assert message in error
    assert "Traceback" not in error


def test_a_configuration_of_another_command_is_named(tmp_path, capsys):
    path = tmp_path / "pairs.toml"
    path.write_text('[trees]\ntrees = "left"\n')
    _, error = call(capsys, "train", "--config", str(path), status=2)
    assert f"{path}: There is no group of options called 'trees'; the groups are data," in error


@NEEDS_PIPES
@pytest.mark.parametrize("unit", ["word", "fragment"])
def test_a_pipe_is_refused_as_it_could_not_be_evaluated(tmp_path, capsys, unit):
    os.mkfifo(tmp_path / "pipe")
    _, error = call(capsys, "train", "--unit", unit, "--train", str(tmp_path / "pipe"), status=2)
    assert "pipe: a pipe can be read once only" in error


def test_a_backward_model_reads_files_backward_and_generates_nothing(run, capsys):
    text, path = str(run.parent / "text.txt"), str(run.parent / "backward")
    options = [*STREAMS, "--unit", "char", "--direction", "backward", "--split", "100"]
    call(capsys, "train", "--text", text, *options, "--output", path)
    own, _ = call(capsys, "evaluate", path, "--split", "train")
    assert call(capsys, "evaluate", path, "--files", text)[0] == own
    _, error = call(capsys, "generate", path, status=2)
    assert "generate with a model that reads forward" in error


def test_a_model_of_sentences_is_evaluated_in_batches(run, capsys):
    text, path = str(run.parent / "text.txt"), str(run.parent / "sentences")
    options = [*SMALL, "--unit", "word", "--layout", "sentences", "--split", "100"]
    call(capsys, "train", "--text", text, *options, "--output", path)
    whole, _ = call(capsys, "evaluate", path, "--split", "train")
    assert call(capsys, "evaluate", path, "--split", "train", "--batch-size", "1")[0] == whole
    _, error = call(capsys, "evaluate", path, "--block", "3", status=2)
    assert "--block does nothing with a model of --layout sentences" in error


def test_another_command_refuses_a_language_model(run, capsys):
    assert main(["predict", str(run), "a", "b"]) == 2
    assert "this is a language model; use it with `spinn lm`" in capsys.readouterr().err


def test_its_options_are_not_those_of_train(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "--weight-dropout" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["lm", "train", "--help"])
    assert "--weight-dropout" in capsys.readouterr().out
