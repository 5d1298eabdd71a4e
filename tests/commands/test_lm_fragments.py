"""``spinn lm`` with fragments, as a person calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelled_trees import PROGRAM, SENTENCES, english

from spinn.commands.main import main
from spinn.data.fragments.brackets import read_brackets
from spinn.data.fragments.tree import terminals_of

SMALL = [
    *("--unit", "fragment", "--embedding-size", "5", "--hidden-size", "6", "--type-size", "2"),
    *("--batch-size", "3", "--epochs", "1", "--minimum-count", "2", "--threads", "1"),
    *("--device", "cpu", "--no-tensorboard"),
]
RUNS = {"trees.txt": "\n".join(SENTENCES), "program.py": PROGRAM}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Train a model of sentences and one of programs."""
    folder = tmp_path_factory.mktemp("lm")
    for name, text in RUNS.items():
        (folder / name).write_text(text)
        output = ["--output", str(folder / Path(name).stem)]
        assert main(["lm", "train", "--train", str(folder / name), *SMALL, *output]) == 0
    return {Path(name).suffix: folder / Path(name).stem for name in RUNS}


def call(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["lm", *arguments]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_generation_prints_trees_and_sentences(runs, capsys):
    arguments = ["generate", str(runs[".txt"]), "--count", "3", "--seed", "2", "--length", "30"]
    text = call(capsys, *arguments)
    blocks = text.strip().split("\n\n")
    assert len(blocks) == 3
    for block in blocks:
        tree, sentence = block.split("\n")
        assert terminals_of(read_brackets(tree)) == sentence.split()
    assert call(capsys, *arguments) == text
    likeliest = [part for part in arguments if part not in ("--seed", "2")]
    assert call(capsys, *likeliest, "--temperature", "0") != text


def test_generation_prints_programs_that_compile(runs, capsys):
    arguments = ["generate", str(runs[".py"]), "--length", "40", "--top-k", "5"]
    for seed in range(5):
        compile(call(capsys, *arguments, "--seed", str(seed)), "generated", "exec")


def test_evaluation_prints_the_perplexity_of_a_set_or_of_files(runs, capsys):
    run = str(runs[".txt"])
    text = call(capsys, "evaluate", run, "--split", "train")
    assert text.startswith("perplexity ")
    assert "a fragment" in text
    files = ["--files", str(runs[".txt"].with_suffix(".txt"))]
    count = sum(map(len, english()))
    assert f", {count} fragments, 63.89% unknown" in call(capsys, "evaluate", run, *files)


def test_a_preset_and_a_file_choose_fragments(runs, capsys, tmp_path):
    trees = str(runs[".txt"].with_suffix(".txt"))
    flags = ["--train", trees, *SMALL[2:], "--output", str(tmp_path / "preset")]
    assert main(["lm", "train", "--preset", "fragments", *flags]) == 0
    (tmp_path / "own.toml").write_text('unit = "fragment"\nlayers = 2\n')
    flags[-1] = str(tmp_path / "file")
    assert main(["lm", "train", "--config", str(tmp_path / "own.toml"), *flags]) == 0
    assert (tmp_path / "file" / "results.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["train", "--unit", "fragment", "--cell", "gru"], "--cell does nothing here; it belongs"),
        (["train", "--unit", "word", "--type-size", "3"], "it belongs to --unit fragment"),
        (["train", "--unit", "fragment"], "--train FILES"),
        (["train", "--unit", "fragment", "--text", "a"], "it belongs to models of text"),
        (["train", "--preset", "awd", "--unit", "fragment"], "--preset awd has another unit"),
        (["train", "--preset", "fragments", "--unit", "word"], "has another unit"),
        (["train", "--resume", "RUN", "--text", "a"], "--text does nothing here"),
        (["finetune", "RUN"], "Fine-tuning is for models of text"),
        (["generate", "RUN", "--prefix", "a"], "--prefix belongs to models of text"),
        (["generate", "RUN", "--temperature", "-1"], "--temperature"),
        (["evaluate", "RUN", "--cache-window", "9"], "--cache-window belongs to models of text"),
        (["evaluate", "RUN", "--block", "3"], "--block belongs to models of text"),
        (["evaluate", "RUN", "--files", "a.py"], "trained on trees of sentences"),
        (["evaluate", "RUN", "--files", "a.txt", "a.py"], "cannot be mixed"),
        (
            ["train", "--unit", "fragment", "--train", "a", "--dev", "b", "--split-seed", "2"],
            "without --dev",
        ),
        (["evaluate", "RUN", "--lambda", "0.1"], "--lambda belongs to models of text"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, cause, runs, capsys):
    given = [str(runs[".txt"]) if one == "RUN" else one for one in arguments]
    assert cause in call(capsys, *given, status=2)
