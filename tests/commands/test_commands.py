"""The commands as a person calls them: what they print, what they write, how they refuse."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spinn.commands.main import main
from spinn.data.spacy_parser import SpacyParser
from spinn.data.tokenizer import Tokenizer
from spinn.option_groups import all_groups
from spinn.support.options import flag_of
from spinn.transitions import from_brackets, right_branching

LABELS = ("entailment", "neutral", "contradiction")
ROOT = Path(__file__).parents[2]


def row(label: str, premise: str, hypothesis: str, **changes: object) -> dict[str, object]:
    def text(brackets: str) -> str:
        return brackets.replace("( ", "").replace(" )", "")

    return {
        "gold_label": label,
        "sentence1": text(premise),
        "sentence2": text(hypothesis),
        "sentence1_binary_parse": premise,
        "sentence2_binary_parse": hypothesis,
        "pairID": "p1",
    } | changes


ROWS = [
    row("entailment", "( ( a dog ) runs )", "( something moves )"),
    row("neutral", "( ( a dog ) runs )", "( ( a dog ) ( runs fast ) )"),
    row("contradiction", "( ( a dog ) runs )", "( nothing moves )"),
    row("entailment", "( a ( small cat ) )", "cat"),
]


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for split in ("train", "dev", "test"):
        write_rows(folder / f"{split}.jsonl", ROWS * 4)
    return folder


SMALL = [
    *("--hidden-size", "8", "--embedding-size", "6", "--classifier-width", "8", "--epochs", "1"),
    *("--batch-size", "4", "--threads", "1", "--no-tensorboard", "--no-cache"),
]
TRACKER = ["--tracker", "--tracker-size", "4"]
PARSER = ["--rl", "--parser", "own", "--parser-size", "5", "--tracker-size", "4"]


def train(corpus: Path, output: Path, *flags: str) -> int:
    return main(["train", "--data", str(corpus), "--output", str(output), *SMALL, *flags])


@pytest.fixture(
    scope="module",
    params=[[*TRACKER, "--predict"], [*PARSER, "--policy-updates", "2"]],
    ids=["tracker", "parser"],
)
def run(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """Train a model that learns to parse."""
    output = tmp_path_factory.mktemp("runs") / "spinn"
    assert train(corpus, output, *request.param) == 0
    return output


@pytest.mark.parametrize(
    "flags",
    [
        [],
        TRACKER,
        [*TRACKER, "--predict"],
        [*TRACKER, "--rl"],
        [*TRACKER, "--rl", "--samples", "2", "--baseline", "leave-one-out"],
        ["--encoder", "gumbel", "--temperature-end", "0.5", "--leaf-context", "bilstm"],
        ["--encoder", "lstm"],
        ["--encoder", "bilstm", "--pooling", "max"],
        ["--encoder", "bow", "--optimizer", "sgd", "--momentum", "0.5"],
        ["--trees", "random-shift", "--leaf-norm", "batch"],
        [*TRACKER, "--rl", "--samples", "2", "--leaf-context", "aligned"],
    ],
)
def test_train_leaves_a_whole_run(corpus, tmp_path, capsys, flags):
    assert train(corpus, tmp_path / "run", *flags) == 0
    told = capsys.readouterr().err
    assert "test: accuracy" in told
    assert str(tmp_path / "run") in told
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert 0 <= results["test"]["accuracy"] <= 1
    assert results["test"]["majority"] == 0.5
    for name in ("config.json", "vocabulary.json", "checkpoints.json", "learning_curve.png"):
        assert (tmp_path / "run" / name).stat().st_size > 0
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert set(kinds) == {"train", "dev"}


def test_induced_vectors_take_the_place_of_drawn_ones(corpus, tmp_path):
    pytest.importorskip("torchtext")
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("a 1 2 3\ndogs 9 0 1\nsmall 5 6 7\n")
    flags = [flag for flag in SMALL if flag not in ("--embedding-size", "6")]
    kept = []
    for seed in ("1", "2"):
        run = tmp_path / seed
        assert main(["train", "--data", str(corpus), "--output", str(run), *flags, "--seed", seed,
                     "--vectors", str(vectors), "--induce-vectors", "--embeddings", "fixed",
                     "--unknown", "random"]) == 0  # fmt: skip
        weights = load_file(next(run.glob("checkpoints/*/weights.safetensors")))
        kept.append(weights["leaves.embedding.fixed_vectors"])
        words = json.loads((run / "vocabulary.json").read_text())["words"]
        assert kept[-1][words.index("a")].tolist() == [1, 2, 3]
    assert torch.equal(*kept)


def test_a_further_test_set_changes_no_weight(corpus, tmp_path):
    """Its words have vectors, but no say in what is drawn, induced or learned."""
    pytest.importorskip("torchtext")
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("zebra 2 7 1\na 1 2 3\ndogs 9 0 1\nyak 5 5 5\nsmall 5 6 7\n")
    write_rows(tmp_path / "more.jsonl", [row("neutral", "( zebra yak )", "cat")])
    flags = [flag for flag in SMALL if flag not in ("--embedding-size", "6")]
    flags += ["--data", str(corpus), "--vectors", str(vectors), "--trees", "left"]
    found = []
    for name, further in (("alone", []), ("more", ["--also", f"x={tmp_path / 'more.jsonl'}"])):
        for induces in ("--induce-vectors", "--no-induce-vectors"):
            run = tmp_path / name / induces
            assert main(["train", *flags, induces, *further, "--output", str(run)]) == 0
            found.append(load_file(next(run.glob("checkpoints/*/weights.safetensors"))))
    for one, other in zip(found[:2], found[2:], strict=True):
        assert set(one) == set(other)
        for name, weight in one.items():
            assert torch.equal(other[name][: len(weight)] if weight.ndim else other[name], weight)
        longer = [name for name, weight in one.items() if weight.shape != other[name].shape]
        assert sorted(longer) == ["leaves.embedding.trained", "leaves.embedding.trained_rows"]


def test_flags_win_over_file_and_file_over_preset(corpus, tmp_path):
    options = tmp_path / "options.toml"
    options.write_text("[optimizer]\nlearning_rate = 0.5\n[training]\nbatch_size = 3\n")
    flags = ["--preset", "logic", "--config", str(options), "--learning-rate", "0.25"]
    assert main(["train", "--data", str(corpus), "--output", str(tmp_path / "r"), *flags,
                 "--epochs", "1", "--no-tensorboard", "--no-cache"]) == 0  # fmt: skip
    resolved = json.loads((tmp_path / "r" / "config.json").read_text())
    assert resolved["optimizer"]["learning_rate"] == 0.25
    assert resolved["training"]["batch_size"] == 3
    assert resolved["model"]["hidden_size"] == 256


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--preset", "rl-spinn", "--seed", "7"],
        ["--encoder", "gumbel", "--no-cache"],
        ["--tracker", "--rl"],
        ["--rl", "--curriculum", "1", "--policy-updates", "1", "--policy-epochs", "0"],
        ["--rl", "--epochs", "1", "--schedule", "constant"],
    ],
)
def test_a_printed_configuration_is_one_for_config(tmp_path, capsys, flags):
    assert main(["train", "--print-config", *flags]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("[data]\n")
    path = tmp_path / "printed.toml"
    path.write_text(printed, encoding="utf-8")
    assert main(["train", "--print-config", "--config", str(path)]) == 0
    assert capsys.readouterr().out == printed
    assert list(tmp_path.iterdir()) == [path]  # nothing is trained


def test_help_shows_every_option_under_its_group(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    _, *sections = re.split(r"\n(?=\w+:\n)", shown)
    found = {}
    for section in sections:
        name, _, text = section.partition(":\n")
        found[name] = set(re.findall(r"^  (--[a-z-]+)", text, flags=re.MULTILINE))
    for name, group in all_groups().items():
        assert {flag_of(option) for option in group.fields()} <= found[name]
        assert " ".join(group.summary.split()[:4]) in shown, name


def test_evaluate_prints_scores_and_writes_a_line_for_each_pair(run, corpus, tmp_path, capsys):
    output, figures = tmp_path / "pairs.jsonl", tmp_path / "figures.json"
    arguments = ["--split", "test", "--output", str(output), "--json", str(figures)]
    assert main(["evaluate", str(run), "--data", str(corpus), *arguments, "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    for words in ("accuracy", "precision", "gold \\ predicted", "transition accuracy", "balanced"):
        assert words in printed
    assert "mean over sentences" in printed  # the conventions of F1
    records = [json.loads(line) for line in output.open()]
    assert len(records) == 16
    for record, source in zip(records, ROWS * 4, strict=True):
        assert record["gold"] == source["gold_label"]
        assert record["predicted"] == max(record["probabilities"], key=record["probabilities"].get)
        assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        words, _ = from_brackets(record["premise"])
        assert " ".join(words) == source["sentence1"]
    accuracy = sum(record["gold"] == record["predicted"] for record in records) / 16
    assert json.loads(figures.read_text())["accuracy"] == pytest.approx(accuracy)


def test_evaluate_loses_no_file(run, corpus, tmp_path, capsys, monkeypatch):
    pairs, figures = tmp_path / "pairs.jsonl", tmp_path / "figures.json"
    shutil.copy(corpus / "test.jsonl", pairs)
    before = pairs.read_bytes()
    evaluate = ["evaluate", str(run), "--files", str(pairs), "--threads", "1"]
    gold = tmp_path / "gold.txt"
    shutil.copy(pairs, gold)
    brackets = ["--brackets", str(tmp_path)]
    assert main(["evaluate", str(run), "--files", str(gold), *brackets]) == 2
    assert "gold.txt would be overwritten" in capsys.readouterr().err
    assert gold.read_bytes() == before
    for flags, cause in [
        ([*brackets, "--json", str(tmp_path / "predicted.txt")], "--json and --brackets name the"),
        (["--output", str(pairs)], "would be overwritten"),
        (["--json", str(pairs)], "would be overwritten"),
        (["--json", str(run / "config.json")], "would be overwritten"),
        (["--json", str(figures), "--output", str(figures)], "name the same file"),
        (["--json", str(tmp_path / "none" / "figures.json")], "none is no folder"),
    ]:
        assert main([*evaluate, *flags]) == 2
        assert cause in capsys.readouterr().err
    assert pairs.read_bytes() == before

    def gone(*arguments: object, **keywords: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", gone)
    assert main([*evaluate, "--json", str(figures)]) == 1
    assert "accuracy" in json.loads(figures.read_text())


def test_evaluate_refuses_flags_of_trees_without_effect(run, corpus, tmp_path, capsys):
    lstm = tmp_path / "lstm"
    assert train(corpus, lstm, "--encoder", "lstm") == 0
    folder = ["--brackets", str(tmp_path / "x")]
    for flags in (["--punctuation", "drop"], ["--no-root"], ["--seed", "3"], folder):
        message = refused(capsys, ["evaluate", str(lstm), "--data", str(corpus), *flags])
        assert f"{flags[0].replace('no-', '')} does nothing here" in message
    message = refused(capsys, ["evaluate", str(run), "--data", str(corpus), "--seed", "3"])
    assert "it belongs to random trees" in message


def test_evaluate_reads_the_files_of_a_run_in_their_format(corpus, tmp_path, capsys):
    """A named format may be one that is not detected."""
    table = tmp_path / "rows.tsv"
    lines = [("label", "premise", "hypothesis")]
    lines += [(one["gold_label"], one["sentence1"], one["sentence2"]) for one in ROWS]
    table.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    run = tmp_path / "run"
    files = ["--train", str(table), "--dev", str(table), "--format", "tsv"]
    assert main(["train", *files, "--encoder", "bow", "--output", str(run), *SMALL]) == 0
    formats = []

    def note(path: object, format: str, *arguments: object, **keywords: object) -> object:
        formats.append(format)
        return read(path, format, *arguments, **keywords)

    from spinn.evaluation import evaluate_files

    read = evaluate_files.read_examples
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate_files, "read_examples", note)
        assert main(["evaluate", str(run)]) == 0
        assert main(["evaluate", str(run), "--files", str(table)]) == 0
    assert formats == ["tsv", "auto"]


def test_evaluate_writes_both_trees_of_each_sentence_for_evalb(run, corpus, tmp_path, capsys):
    flags = ["--brackets", str(tmp_path), "--average", "corpus", "--one-word-spans"]
    assert main(["evaluate", str(run), "--data", str(corpus), "--trees", "left", *flags]) == 0
    printed = capsys.readouterr().out
    assert "from the spans of the whole corpus" in printed
    assert "one-word spans counted" in printed
    assert "32 trees each: gold.txt and predicted.txt" in printed
    predicted, gold = (
        (tmp_path / name).read_text().splitlines() for name in ("predicted.txt", "gold.txt")
    )
    assert predicted[3] == "(X (X (X (T a) (T dog)) (T runs)) (T fast))"
    assert gold[3] == "(X (X (T a) (T dog)) (X (T runs) (T fast)))"
    assert predicted[7] == gold[7] == "(T cat)"


def test_evaluate_gives_the_figures_of_the_run_where_trees_are_drawn(corpus, tmp_path, capsys):
    run = tmp_path / "random"
    assert train(corpus, run, "--trees", "random", "--seed", "7") == 0
    told = json.loads((run / "results.json").read_text(encoding="utf-8"))["test"]
    for name, flags in (("own", []), ("other", ["--seed", "8"])):
        place = tmp_path / f"{name}.json"
        arguments = ["--split", "test", "--json", str(place), *flags]
        assert main(["evaluate", str(run), *arguments]) == 0
    own, other = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("own", "other"))
    assert own["trees"] == told["trees"]
    assert own["loss"] == pytest.approx(told["loss"])
    assert other["trees"] != told["trees"]


def test_predict_gives_the_answers_of_evaluate_where_trees_are_drawn(corpus, tmp_path, capsys):
    pytest.importorskip("spacy")
    run, output = tmp_path / "random", tmp_path / "lines.jsonl"
    assert train(corpus, run, "--trees", "random-shift", "--seed", "7") == 0
    long = "( a ( b ( c ( d ( e ( f ( g ( h ( i j ) ) ) ) ) ) ) ) )"
    write_rows(tmp_path / "one.jsonl", [row("neutral", "( a dog )", long)])
    assert main(["evaluate", str(run), "--files", str(tmp_path / "one.jsonl"),
                 "--output", str(output)]) == 0  # fmt: skip
    capsys.readouterr()
    evaluated = json.loads(output.read_text())
    words = (from_brackets(evaluated[side])[0] for side in ("premise", "hypothesis"))
    assert main(["predict", str(run), *map(" ".join, words), "--json"]) == 0
    predicted = json.loads(capsys.readouterr().out)
    assert predicted["hypothesis"] == evaluated["hypothesis"]
    assert predicted["probabilities"] == pytest.approx(evaluated["probabilities"])


def test_evaluate_follows_other_trees(run, corpus, capsys):
    assert main(["evaluate", str(run), "--data", str(corpus), "--trees", "gold"]) == 0
    assert "F1 100.00%, transition accuracy 100.00%" in capsys.readouterr().out
    assert main(["evaluate", str(run), "--data", str(corpus), "--trees", "left"]) == 0
    assert "left 100.00%" in capsys.readouterr().out


def test_a_tracker_needs_no_parses_when_it_is_evaluated(run, tmp_path, capsys):
    pytest.importorskip("spacy")
    file = tmp_path / "raw.tsv"
    file.write_text("label\tpremise\thypothesis\nneutral\tA dog runs.\tIt isn't asleep.\n")
    assert main(["evaluate", str(run), "--files", str(file)]) == 0
    assert "pairs 1" in capsys.readouterr().out


def test_evaluate_and_parse_take_names_of_columns_and_labels(run, tmp_path, capsys):
    pytest.importorskip("spacy")
    file = tmp_path / "raw.csv"
    file.write_text('lang,eins,Nr,zwei,Urteil\nde,"A, b.",7,It,1\nen,A dog,8,"It\nis",2\n')
    given = ["--columns", "premise=eins,hypothesis=zwei,label=Urteil,id=Nr"]
    named = [*given, "--label-names", "entailment,neutral,contradiction"]
    assert main(["evaluate", str(run), "--files", str(file), *named]) == 0
    printed = capsys.readouterr()
    assert "pairs 2" in printed.out
    assert "2 examples in 2 languages (de 1, en 1)" in printed.err
    assert main(["evaluate", str(run), "--files", str(file), *given]) == 2
    assert "--label-names entailment,neutral,contradiction" in capsys.readouterr().err
    assert main(["parse", str(run), str(file), "--output", str(tmp_path / "trees"), *named]) == 0
    parsed = [json.loads(line) for line in (tmp_path / "trees" / "raw.jsonl").open()]
    assert [(one["pairID"], one["gold_label"]) for one in parsed] == [
        ("7", "neutral"),
        ("8", "contradiction"),
    ]


def test_a_run_on_named_columns_evaluates_its_own_set(tmp_path, capsys):
    pytest.importorskip("spacy")
    file = tmp_path / "t.csv"
    file.write_text("b,gold 1,a\n" + "It moves.,0,A dog.\nIt is.,1,A cat.\n" * 3)
    flags = ["--columns", "premise=a,hypothesis=b,label=gold 1", "--label-names", "yes,no"]
    files = ["--train", str(file), "--dev", str(file), "--trees", "balanced"]
    output = tmp_path / "run"
    assert main(["train", *files, *flags, "--output", str(output), *SMALL]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(output)]) == 0
    assert "pairs 6" in capsys.readouterr().out


def test_predict_draws_both_trees(run, capsys):
    pytest.importorskip("spacy")
    assert main(["predict", str(run), "A dog runs.", "It's ( asleep )."]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(LABELS)
    assert printed.count("%") == 3
    for word in ("dog", "'s", "-LRB-", "└"):
        assert word in printed


def test_a_gumbel_tree_lstm_is_used_like_a_tracker(corpus, tmp_path, capsys):
    pytest.importorskip("spacy")
    path = str(tmp_path / "gumbel")
    assert train(corpus, tmp_path / "gumbel", "--encoder", "gumbel") == 0
    file = tmp_path / "raw.tsv"
    file.write_text("label\tpremise\thypothesis\nneutral\tA dog runs.\tIt isn't asleep.\n")
    capsys.readouterr()
    assert main(["evaluate", path, "--files", str(file)]) == 0
    assert "trees: gumbel" in capsys.readouterr().out
    assert main(["evaluate", path]) == 0
    assert "against the parser's trees: F1" in capsys.readouterr().out
    assert main(["predict", path, "A dog runs.", "It's asleep."]) == 0
    assert capsys.readouterr().out.count("└") >= 4
    message = refused(capsys, ["evaluate", path, "--trees", "left"])
    assert "Gumbel Tree-LSTM builds its own trees" in message


def test_predict_reads_standard_input(run, capsys, monkeypatch):
    pytest.importorskip("spacy")
    monkeypatch.setattr(sys, "stdin", io.StringIO("A dog runs.\tIt moves.\r\n( a dog )\tcat\n\n"))
    assert main(["predict", str(run), "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert set(first["probabilities"]) == set(LABELS)
    assert second["premise"] == "( a dog )"
    assert second["hypothesis"] == "cat"


def lines_of(count: int) -> list[str]:
    """Return lines of standard input of several lengths, in no order."""
    words = ["a", "small", "dog", "cat", "runs"]

    def tree(length: int) -> str:
        return words[length % 5] if length < 2 else f"( {words[length % 5]} {tree(length - 1)} )"

    return [f"{tree(2 + 7 * n % 5)}\t{tree(2 + 3 * n % 4)}\n" for n in range(count)]


@pytest.mark.parametrize("size", ["1", "3", "100"])
def test_predict_answers_in_order_in_batches_of_any_size(run, capsys, monkeypatch, size):
    lines = lines_of(10)
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(lines)))
    assert main(["predict", str(run), "--json", "--batch-size", size]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(answers) == len(lines)
    for line, answer in zip(lines, answers, strict=True):
        for text, role in zip(line.split("\t"), ("premise", "hypothesis"), strict=True):
            assert from_brackets(answer[role])[0] == from_brackets(text)[0]
        assert main(["predict", str(run), *line.strip().split("\t"), "--json"]) == 0
        alone = json.loads(capsys.readouterr().out)
        assert answer["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)
        assert answer["premise"] == alone["premise"]


@pytest.mark.parametrize("bad", ["\n", "( a dog )\n", "( a dog )\t \n"])
def test_predict_answers_the_lines_before_an_error(run, capsys, monkeypatch, bad):
    pytest.importorskip("spacy")
    lines = lines_of(5)
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join([*lines, bad, *lines])))
    assert main(["predict", str(run), "--json", "--batch-size", "2"]) == 2
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == len(lines)
    assert "standard input, line 6: " in captured.err


class Terminal(io.StringIO):
    """Standard input of a person, who waits for each answer."""

    def __init__(self, lines: list[str], answered: Callable[[], int]) -> None:
        super().__init__()
        self._lines, self._answered = lines, answered
        self.answers: list[int] = []

    def isatty(self) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            yield line
            self.answers.append(self._answered())


def test_predict_answers_each_line_of_a_terminal_at_once(run, capsys, monkeypatch):
    printed: list[str] = []

    def answered() -> int:
        printed.extend(capsys.readouterr().out.splitlines())
        return len(printed)

    terminal = Terminal(lines_of(4), answered)
    monkeypatch.setattr(sys, "stdin", terminal)
    assert main(["predict", str(run), "--json"]) == 0
    assert terminal.answers == [1, 2, 3, 4]


def test_predict_and_evaluate_agree_on_a_file(run, corpus, tmp_path, capsys, monkeypatch):
    output = tmp_path / "pairs.jsonl"
    files = ["--files", str(corpus / "dev.jsonl"), "--output", str(output)]
    assert main(["evaluate", str(run), *files, "--threads", "1"]) == 0
    trees = [(one["sentence1_binary_parse"], one["sentence2_binary_parse"]) for one in ROWS * 4]
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join("\t".join(t) + "\n" for t in trees)))
    capsys.readouterr()
    assert main(["predict", str(run), "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for answer, line in zip(answers, output.open(), strict=True):
        expected = json.loads(line)
        assert answer["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)
        for name in ("predicted", "premise", "hypothesis"):
            assert answer[name] == expected[name]


def test_prepare_then_train_needs_no_texts(corpus, tmp_path):
    assert main(["prepare", str(tmp_path / "p"), "--data", str(corpus), "--no-cache"]) == 0
    assert train(tmp_path / "p", tmp_path / "run") == 0
    arguments = ["train", "--data", str(tmp_path / "p"), "--output", str(tmp_path / "r2"), *SMALL]
    code = (
        "import sys; sys.modules['torchtext'] = sys.modules['spacy'] = None; "
        f"from spinn.commands.main import main; sys.exit(main({arguments!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Run a command that must refuse, and return its one message."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("spinn: ")
    assert "Traceback" not in captured.err
    return last


BAD_FILES = {
    "missing": (None, "no.jsonl", "there is no"),
    "empty": (b"", "train.jsonl", "train.jsonl"),
    "invalid JSON": (b'{"gold_label": "neutral", \n', "train.jsonl, line 1", ""),
    "truncated gzip": (gzip.compress(b"{}\n" * 9999)[:40], "train.jsonl", ""),
    "not UTF-8": (b'{"gold_label": "neutral", "sentence1": "\xff"}\n', "line 1", "UTF-8"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_cannot_be_read(corpus, tmp_path, capsys, name):
    content, place, cause = BAD_FILES[name]
    path = tmp_path / ("no.jsonl" if content is None else "train.jsonl")
    if content is not None:
        path.write_bytes(content)
    output = tmp_path / "run"
    files = ["--train", str(path), "--dev", str(corpus / "dev.jsonl")]
    message = refused(capsys, ["train", *files, "--output", str(output), *SMALL])
    assert place in message
    assert cause in message
    assert not output.exists()


BAD_ROWS = {
    "unknown label": (row("perhaps", "a", "b"), "perhaps"),
    "unbalanced": (row("neutral", "( a dog", "b", sentence1="a dog"), "bracket"),
    "non-binary": (row("neutral", "( a small dog )", "b", sentence1="a small dog"), "3 children"),
    "empty sentence": (
        row("neutral", "a", "b", sentence1=" ", sentence1_binary_parse=""),
        "empty",
    ),
    "another tree": (
        row("neutral", "( a dog )", "b", sentence1="seventeen entirely different words " * 4),
        "sentence1",
    ),
    "no parse": (row("neutral", "a", "b", sentence1_binary_parse=""), "--trees balanced"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_rows_that_cannot_be_used_are_named(corpus, tmp_path, capsys, name):
    if name == "no parse":
        pytest.importorskip("spacy")
    bad, cause = BAD_ROWS[name]
    path = write_rows(tmp_path / "train.jsonl", [*ROWS, bad])
    files = ["--train", str(path), "--dev", str(corpus / "dev.jsonl")]
    message = refused(capsys, ["train", *files, "--output", str(tmp_path / "run"), *SMALL])
    assert "train.jsonl, line 5" in message
    assert cause in message or name == "another tree"


@pytest.mark.parametrize(
    ("flags", "cause"),
    [
        (["--rl", "--parser", "shared"], "--tracker"),
        (["--predict"], "--tracker"),
        (["--tracker", "--rl", "--predict"], "exclude each other"),
        (["--rl", "--trees", "left"], "exclude each other"),
        (["--samples", "3"], "--samples does nothing here"),
        (["--tracker-size", "9"], "add --tracker"),
        (["--encoder", "lstm", "--trees", "left"], "--trees does nothing here"),
        (["--encoder", "gumbel", "--trees", "left"], "--trees does nothing here"),
        (["--encoder", "gumbel", "--rl"], "--trees does nothing here"),
        (["--temperature", "0.5"], "it belongs to --encoder gumbel"),
        (["--encoder", "bow", "--pooling", "max"], "--pooling does nothing here"),
        (["--learning-rate", "-1"], "at least"),
        (["--preset", "none"], "choose from"),
        (["--device", "abacus"], "--device"),
        (["--vectors", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_options_that_do_not_go_together(corpus, tmp_path, capsys, flags, cause):
    arguments = ["train", "--data", str(corpus), "--output", str(tmp_path / "run")]
    assert cause in refused(capsys, [*arguments, "--no-cache", *flags])
    assert not (tmp_path / "run").exists()


def test_an_earlier_run_is_left_alone(run, corpus, capsys):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert "there is a run here already" in refused(
        capsys, ["train", "--data", str(corpus), "--output", str(run), *SMALL]
    )
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_resume_refuses_other_options(run, capsys):
    message = refused(capsys, ["train", "--resume", str(run), "--epochs", "3"])
    assert "--epochs" in message


def test_resume_finds_data_that_have_moved_if_they_are_the_same(tmp_path, capsys):
    old, new, run = tmp_path / "old", tmp_path / "new", tmp_path / "run"
    old.mkdir()
    for split in ("train", "dev", "test"):
        write_rows(old / f"{split}.jsonl", ROWS * 4)
    assert train(old, run) == 0
    weights = next(run.glob("checkpoints/*/weights.safetensors")).read_bytes()
    old.rename(new)
    assert "there is no such folder" in refused(capsys, ["train", "--resume", str(run)])
    assert main(["train", "--resume", str(run), "--data", str(new)]) == 0
    files = [f"--{split}={new / split}.jsonl" for split in ("train", "dev", "test")]
    assert main(["train", "--resume", str(run), *files]) == 0
    assert next(run.glob("checkpoints/*/weights.safetensors")).read_bytes() == weights
    assert main(["evaluate", str(run), "--data", str(new), "--threads", "1"]) == 0
    write_rows(new / "train.jsonl", ROWS[::-1] * 4)
    message = refused(capsys, ["train", "--resume", str(run), "--data", str(new)])
    assert "the train set is not the one that the run began with" in message
    message = refused(capsys, ["train", "--resume", str(run), "--vectors", "x.txt"])
    assert "the run has no vectors" in message


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["evaluate", "nowhere"], "this is no run"),
        (["predict", "nowhere", "a", "b"], "this is no run"),
    ],
)
def test_commands_refuse_what_is_not_there(capsys, arguments, cause):
    assert cause in refused(capsys, arguments)


def test_evaluate_names_its_own_flags_where_there_are_no_files(run, capsys):
    error = refused(capsys, ["evaluate", "snli-79k"])
    assert "The corpus of the run, snli-79k, is not here. Name another with --data" in error
    error = refused(capsys, ["evaluate", str(run), "--data", "nowhere"])
    assert "nowhere: there is no such folder" in error
    assert "name the files with --files" in error


def test_evaluate_refuses_a_set_that_is_not_there(run, capsys):
    assert "has train, dev, test" in refused(capsys, ["evaluate", str(run), "--split", "7"])


def test_further_test_sets_are_scored_and_can_be_evaluated_by_name(corpus, tmp_path, capsys):
    also = ["--also", f"7={corpus / 'dev.jsonl'}", "--also", f"8={corpus / 'test.jsonl'}"]
    assert train(corpus, tmp_path / "run", "--encoder", "bow", *also) == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["also"] == {"7": results["dev"], "8": results["test"]}
    assert "8: accuracy" in capsys.readouterr().err
    figures = tmp_path / "figures.json"
    split = ["--split", "7", "--json", str(figures)]
    assert main(["evaluate", str(tmp_path / "run"), *split, "--threads", "1"]) == 0
    assert json.loads(figures.read_text())["accuracy"] == results["dev"]["accuracy"]


def test_evaluate_refuses_what_the_model_cannot_do(corpus, tmp_path, capsys):
    pytest.importorskip("spacy")
    assert train(corpus, tmp_path / "nt") == 0
    evaluate = ["evaluate", str(tmp_path / "nt"), "--data", str(corpus)]
    assert "--tracker --predict" in refused(capsys, [*evaluate, "--trees", "predicted"])
    raw = tmp_path / "raw.tsv"
    raw.write_text("label\tpremise\thypothesis\nneutral\tA dog runs.\tIt isn't asleep.\n")
    flags = ["--files", str(raw), "--trees", "left", "--brackets", str(tmp_path / "out")]
    assert "no sentence here has one" in refused(capsys, ["evaluate", str(tmp_path / "nt"), *flags])


def test_predict_names_the_pipeline_that_would_parse_text(corpus, tmp_path, capsys, monkeypatch):
    spacy = pytest.importorskip("spacy")

    def load(name, **_):
        raise OSError(name)

    monkeypatch.setattr(spacy, "load", load)
    assert train(corpus, tmp_path / "nt") == 0
    error = refused(capsys, ["predict", str(tmp_path / "nt"), "a dog", "b"])
    assert "python -m spacy download en_core_web_sm" in error


def test_predict_refuses_another_number_of_sentences(run, single, capsys, monkeypatch):
    pytest.importorskip("spacy")
    for sentences in (["a"], ["a", "b", "c"]):
        assert "give a premise and a hypothesis" in refused(
            capsys, ["predict", str(run), *sentences]
        )
    assert "takes single sentences" in refused(capsys, ["predict", str(single), "1", "2"])
    for folder, line, cause in ((run, "a dog", "one tab"), (single, "1\t2", "without tabs")):
        monkeypatch.setattr(sys, "stdin", io.StringIO(line + "\n"))
        message = refused(capsys, ["predict", str(folder)])
        assert "standard input, line 1: " in message
        assert cause in message


# Single sentences.

EXPRESSIONS = ["( ( ( [MAX 2 ) 8 ) ] )", "( ( ( [MIN 2 ) ( ( ( [MAX 3 ) 1 ) ] ) ) ] )", "7"]


@pytest.fixture(scope="module")
def listops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listops")
    rows = "".join(f"{label}\t{tree}\n" for label, tree in zip("827", EXPRESSIONS, strict=True))
    for split in ("train", "dev", "test"):
        (folder / f"{split}.tsv").write_text(rows * 4)
    return folder


@pytest.fixture(scope="module")
def single(listops: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a model of single sentences, named as files."""
    output = tmp_path_factory.mktemp("runs") / "listops"
    files = [part for split in ("train", "dev", "test") for part in
             (f"--{split}", str(listops / f"{split}.tsv"))]  # fmt: skip
    flags = ["--format", "listops", *TRACKER, "--predict", "--output", str(output), *SMALL]
    assert main(["train", *files, *flags]) == 0
    return output


@pytest.mark.parametrize(
    "flags",
    [[], ["--trees", "balanced"], ["--trees", "random"], [*TRACKER, "--rl"], ["--encoder", "lstm"]],
)
def test_train_on_single_sentences_leaves_a_whole_run(listops, tmp_path, capsys, flags):
    assert train(listops, tmp_path / "run", *flags) == 0
    assert "train: 12 sentences" in capsys.readouterr().err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["test"]["count"] == 12
    assert set(results["test"]["labels"]) == set("0123456789")


def test_single_sentences_have_none_to_be_aligned_with(listops, tmp_path, capsys):
    assert train(listops, tmp_path / "run", "--leaf-context", "aligned") == 2
    assert "this corpus has single sentences" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_evaluate_writes_a_line_for_each_single_sentence(single, listops, tmp_path, capsys):
    output = tmp_path / "sentences.jsonl"
    arguments = ["--files", str(listops / "test.tsv"), "--output", str(output), "--threads", "1"]
    assert main(["evaluate", str(single), *arguments]) == 0
    assert "sentences 12" in capsys.readouterr().out
    records = [json.loads(line) for line in output.open()]
    assert len(records) == 12
    for record, expression in zip(records, EXPRESSIONS * 4, strict=True):
        assert "premise" not in record
        assert from_brackets(record["sentence"])[0] == from_brackets(expression)[0]
        assert record["predicted"] in record["probabilities"]


@pytest.mark.parametrize("expression", ["( ( ( [MAX 2 ) 8 ) ] )", "[MAX 2 8 ]"])
def test_predict_takes_one_sentence(single, listops, tmp_path, capsys, monkeypatch, expression):
    assert main(["predict", str(single), expression]) == 0
    printed = capsys.readouterr().out
    assert "sentence:" in printed
    assert all(word in printed for word in ("[MAX", "2", "8", "]"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{expression}\n7\n"))
    assert main(["predict", str(single), "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert from_brackets(first["sentence"])[0] == ["[MAX", "2", "8", "]"]
    assert second["sentence"] == "7"
    # As evaluation has it: no word is unknown, in whatever way it is given.
    output = tmp_path / "sentences.jsonl"
    files = ["--files", str(listops / "test.tsv"), "--output", str(output), "--threads", "1"]
    assert main(["evaluate", str(single), *files]) == 0
    seen = json.loads(output.read_text().splitlines()[0])
    assert first["probabilities"] == pytest.approx(seen["probabilities"], abs=1e-5)


@pytest.mark.parametrize("expression", ["( [MAX 2", "[MAX ( 2 8 ) ]", "2 )", ""])
def test_predict_refuses_brackets_that_are_no_tree(single, capsys, expression):
    message = refused(capsys, ["predict", str(single), expression])
    assert "arguments, line 1" in message
    assert "Traceback" not in message


def test_rows_without_a_label_are_counted_and_parsed(
    run: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *others = (corpus / "dev.jsonl").read_text().splitlines()
    some = tmp_path / "some.jsonl"
    some.write_text("\n".join([json.dumps(json.loads(first) | {"gold_label": "-"}), *others]))
    capsys.readouterr()
    assert main(["evaluate", str(run), "--files", str(some)]) == 0
    assert "1 without a gold label skipped" in capsys.readouterr().err
    none = tmp_path / "none.jsonl"
    none.write_text(json.dumps(json.loads(first) | {"gold_label": "hidden"}) + "\n")
    assert main(["evaluate", str(run), "--files", str(none)]) == 0
    captured = capsys.readouterr()
    assert "no scores of labels" in captured.out
    assert "--columns label=NAME" in captured.err
    folder = tmp_path / "parsed"
    assert main(["parse", str(run), str(some), str(none), "--output", str(folder)]) == 0
    for name, count in (("some", len(others) + 1), ("none", 1)):
        rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
        assert len(rows) == count
        assert rows[0]["gold_label"] == "-"


def test_figures_that_cannot_be_written_are_told_in_a_line(
    run: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--files", str(corpus / "dev.jsonl")]
    assert main(["evaluate", str(run), *files, "--json", str(tmp_path / "absent/x.json")]) == 2
    assert "absent" in capsys.readouterr().err.splitlines()[-1]
    target = tmp_path / "parsed"
    target.mkdir()
    (target / "gone.jsonl").touch()
    assert main(["parse", str(run), str(tmp_path / "gone.jsonl"), "--output", str(target)]) == 2
    assert "gone.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--batch-size=0", "--threads=-1", "--seed=-1", "--threads=x"])
def test_numbers_out_of_range_are_refused(
    run: Path, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", str(run), flag])
    assert flag.partition("=")[0] in capsys.readouterr().err.splitlines()[-1]


def test_standard_input_that_is_no_text_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("spacy")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"A d\xf6g.\tA cat.\n"), "utf-8"))
    assert main(["predict", str(run)]) == 2
    assert (
        "standard input, line 1: byte 4 of the line, 0xf6, is not UTF-8" in capsys.readouterr().err
    )


def test_files_of_the_other_kind_are_refused(run, single, corpus, listops, tmp_path, capsys):
    pairs, sentences = str(corpus / "dev.jsonl"), str(listops / "dev.tsv")
    wanted = "are required. Give single sentences or pairs throughout"
    for folder, file in ((run, sentences), (single, pairs)):
        message = refused(capsys, ["evaluate", str(folder), "--files", file])
        assert f"{file}: its rows are" in message
        assert wanted in message
    files = ["--train", str(corpus / "train.jsonl"), "--dev", sentences]
    message = refused(capsys, ["train", *files, "--output", str(tmp_path / "run"), *SMALL])
    assert f"{sentences}: its rows are sentences (format listops) where pairs {wanted}" in message


def test_interrupting_saves_and_says_how_to_go_on(corpus, tmp_path):
    pytest.importorskip("torchtext")
    command = [sys.executable, "train.py", "--data", str(corpus), "--output", str(tmp_path / "run")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*command, *SMALL, "--epochs", "5000"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            process.send_signal(2)
            break
    told = process.stderr.read()
    assert process.wait(timeout=60) == 130
    assert f"Go on with: python train.py --resume {tmp_path / 'run'}\n" in told
    assert "Traceback" not in told
    assert (tmp_path / "run" / "checkpoints.json").exists()


def test_generate_sample_writes_a_corpus_that_reads_back(tmp_path, capsys):
    sizes = ["--train", "30", "--dev", "6", "--test", "6", "--test-longer", "6"]
    for name in ("one", "two"):
        assert main(["generate", "sample", str(tmp_path / name), "--seed", "5", *sizes]) == 0
    for split, size in (("train", 30), ("dev", 6), ("test", 6), ("test-longer", 6)):
        content = (tmp_path / "one" / f"{split}.jsonl").read_bytes()
        assert content == (tmp_path / "two" / f"{split}.jsonl").read_bytes()
        assert len(content.splitlines()) == size
    assert train(tmp_path / "one", tmp_path / "run") == 0


def test_a_corpus_is_parsed_by_a_tracker_and_read_back(
    corpus: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("spacy")
    plain = tmp_path / "raw.jsonl.gz"
    raw = [
        {"gold_label": label, "sentence1": "The dogs (all) run.", "sentence2": "Cats"}
        for label in ("neutral", "entailment")
    ]
    plain.write_bytes(gzip.compress(b"".join(json.dumps(one).encode() + b"\n" for one in raw)))
    folder = tmp_path / "parsed"
    command = ["parse", str(run), str(plain), str(corpus / "dev.jsonl"), "--output", str(folder)]
    assert main([*command, "--threads", "1"]) == 0
    parsed = [json.loads(line) for line in (folder / "raw.jsonl").read_text().splitlines()]
    assert [one["gold_label"] for one in parsed] == ["neutral", "entailment"]
    words, _ = from_brackets(parsed[0]["sentence1_binary_parse"])
    assert words == ["The", "dogs", "-LRB-", "all", "-RRB-", "run", "."]
    assert parsed[0]["sentence2_binary_parse"] == "Cats"
    # What was written serves as a corpus with trees; the tracker's are then the gold ones.
    files = [str(folder / "raw.jsonl"), str(folder / "dev.jsonl")]
    assert main(["evaluate", str(run), "--files", *files, "--threads", "1"]) == 0
    assert "against the parser's trees: F1 100.00%" in capsys.readouterr().out


def test_expressions_are_parsed_and_read_back(
    single: Path, listops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "parsed"
    assert main(["parse", str(single), str(listops / "dev.tsv"), "--output", str(folder)]) == 0
    assert [line[:2] for line in (folder / "dev.txt").open()] == ["8\t", "2\t", "7\t"] * 4
    assert main(["evaluate", str(single), "--files", str(folder / "dev.txt")]) == 0
    assert "against the parser's trees: F1 100.00%" in capsys.readouterr().out


def test_a_corpus_is_parsed_by_spacy_without_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        SpacyParser, "trees", lambda self, sentences: (right_branching(len(s)) for s in sentences)
    )
    monkeypatch.setattr(Tokenizer, "__call__", lambda self, text: text.split())
    folder = tmp_path / "parsed"
    raw = tmp_path / "raw.tsv"
    raw.write_text("label\tpremise\thypothesis\nyes\tA b c\tD\n-1\tE f\tG\n")
    given = tmp_path / "given.jsonl"
    given.write_text(json.dumps(row("neutral", "( ( a b ) c )", "( d e )")) + "\n")
    command = ["parse", "--parser", "spacy", str(raw), str(given), "--output", str(folder)]
    assert main(command) == 0
    first, second = map(json.loads, (folder / "raw.jsonl").open())
    assert (first["gold_label"], first["sentence1_binary_parse"]) == ("yes", "( A ( b c ) )")
    assert (second["gold_label"], second["sentence2_binary_parse"]) == ("-", "G")
    (kept,) = map(json.loads, (folder / "given.jsonl").open())
    assert kept["sentence1_binary_parse"] == "( ( a b ) c )"
    assert main(["parse", "--parser", "other", str(raw), "--output", str(folder)]) == 2
    assert "There is no parser 'other'" in capsys.readouterr().err
    assert "--checkpoint belongs to a run" in refused(capsys, [*command, "--checkpoint", "last"])
    assert main(["parse", str(tmp_path / "run"), "--output", str(folder)]) == 2


def test_parsed_files_have_their_names_without_the_endings(
    corpus: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dev = corpus / "dev.jsonl"
    packed = tmp_path / "Dev.v1.jsonl.xz"
    packed.write_bytes(lzma.compress(dev.read_bytes()))
    parse = ["parse", str(run), str(packed), "--output", str(tmp_path / "out"), "--threads", "1"]
    assert main(parse) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["Dev.v1.jsonl"]
    other = tmp_path / "Dev.v1.jsonl"
    other.write_bytes(dev.read_bytes())
    assert "have the same name" in refused(capsys, [*parse, str(other)])


def test_flags_of_parse_may_be_anywhere_among_the_paths(corpus, run, tmp_path):
    given = {"RUN": str(run), "FILE": str(corpus / "dev.jsonl"), "OUT": str(tmp_path / "out")}
    written = set()
    for order in (
        "RUN FILE --output OUT --threads 1",
        "--output OUT RUN --threads 1 FILE",
        "RUN --output OUT --threads=1 FILE",
    ):
        assert main(["parse", *(given.get(part, part) for part in order.split())]) == 0
        written.add((tmp_path / "out" / "dev.jsonl").read_bytes())
    assert len(written) == 1


def test_a_corpus_is_parsed_in_shards(corpus, run, tmp_path, capsys):
    dev, folder = corpus / "dev.jsonl", tmp_path / "parts"
    parse = ["parse", str(run), str(dev), "--threads", "1", "--output"]
    assert main([*parse, str(tmp_path / "whole")]) == 0
    whole = (tmp_path / "whole" / "dev.jsonl").read_bytes()
    for number in (3, 1, 2):
        assert main([*parse, str(folder), "--shard", f"{number}/3"]) == 0
    parts = sorted(folder.iterdir())
    assert [part.name for part in parts] == [f"dev-0000{one}-of-00003.jsonl" for one in (1, 2, 3)]
    assert b"".join(part.read_bytes() for part in parts) == whole
    parts[0].write_text("kept")
    parts[1].unlink()
    capsys.readouterr()
    for number in (1, 2):
        assert main([*parse, str(folder), "--shard", f"{number}/3"]) == 0
    assert "Written before" in capsys.readouterr().err
    assert parts[0].read_text() == "kept"
    assert parts[1].read_bytes() in whole
    for shard in ("0/3", "4/3", "2", "x/y"):
        assert "is no shard" in refused(capsys, [*parse, str(folder), "--shard", shard])
    message = refused(capsys, [*parse, str(folder), "--shard", "1/17"])
    assert "has 16 rows where there are 17 shards" in message


def test_parse_refuses_what_would_lose_or_waste_work(
    corpus: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dev = corpus / "dev.jsonl"
    assert main(["parse", str(run), str(dev), "--output", str(corpus)]) == 2
    assert "would be overwritten" in capsys.readouterr().err
    other = tmp_path / "dev.jsonl"
    other.write_bytes(dev.read_bytes())
    (tmp_path / "mine.jsonl").write_text("of mine")
    table = tmp_path / "mine.tsv"
    table.write_text("neutral\ta dog\ta cat\n")
    message = refused(capsys, ["parse", str(run), str(table), "--output", str(tmp_path)])
    assert "mine.jsonl would be overwritten" in message
    assert main(["parse", str(run), str(dev), str(other), "--output", str(tmp_path / "x")]) == 2
    assert "have the same name" in capsys.readouterr().err
    assert train(corpus, tmp_path / "given", "--trees", "left") == 0
    command = ["parse", str(tmp_path / "given"), str(dev), "--output", str(tmp_path / "x")]
    assert main(command) == 2
    assert "no trees of its own" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_long_sentences_are_left_out_of_training_alone(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(corpus, tmp_path / "short", "--max-words", "3") == 0
    assert "Training on 12 of 16 pairs: those of up to 3 words" in capsys.readouterr().err
    results = json.loads((tmp_path / "short" / "results.json").read_text())
    assert results["test"]["count"] == 16
    assert train(corpus, tmp_path / "none", "--max-words", "1") == 2
    assert "the shortest example has 3 words" in capsys.readouterr().err


def test_a_curriculum_says_what_each_epoch_reads(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--curriculum", "0.7", "--curriculum-epochs", "1", "--epochs", "2"]
    assert train(corpus, tmp_path / "run", *flags) == 0
    said = capsys.readouterr().err
    assert "Epoch 1 reads 12 of 16 pairs: those of up to 3 words a sentence." in said
    assert "Epoch 2 reads" not in said
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines if '"dev"' in line]
    batch = json.loads((tmp_path / "run" / "config.json").read_text())["training"]["batch_size"]
    assert steps == [-(-12 // batch), -(-12 // batch) + -(-16 // batch)]
    assert train(corpus, tmp_path / "idle", "--curriculum-epochs", "2") == 2
    assert "--curriculum-epochs does nothing here" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["read", "prepared"])
def test_a_model_of_spelt_brackets_reads_them_ever_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    pytest.importorskip("spacy")
    for split in ("train", "dev", "test"):
        (tmp_path / split).write_text("=\ta\t( not ( not a ) )\n<\ta\t( a ( or b ) )\n" * 4)
    files = [f"--{split}={tmp_path / split}" for split in ("train", "dev", "test")]
    run, prepared = tmp_path / "run", str(tmp_path / "prepared")
    flags = ["--trees", "gold", "--output", str(run)]
    if way == "prepared":
        assert main(["prepare", prepared, *files, "--format", "logic-brackets"]) == 0
        assert main(["train", "--data", prepared, *SMALL, *flags]) == 0
    else:
        assert main(["train", *files, *SMALL, "--format", "logic-brackets", *flags]) == 0
    spelt = ["-LRB-", "not", "-LRB-", "not", "a", "-RRB-", "-RRB-"]
    answers = tmp_path / "answers.jsonl"
    if way == "prepared":
        assert main(["evaluate", str(run)]) == 2
        assert "name files to evaluate with --files" in capsys.readouterr().err
    own = ["--files", str(tmp_path / "dev")]
    assert main(["evaluate", str(run), *own, "--output", str(answers)]) == 0
    record = json.loads(answers.read_text().splitlines()[0])
    assert [word for word in record["hypothesis"].split() if word not in ("(", ")")] == spelt
    capsys.readouterr()
    assert main(["predict", str(run), "( a )", "( not ( not a ) )", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["hypothesis"] == record["hypothesis"]
    assert shown["probabilities"] == pytest.approx(record["probabilities"], abs=1e-5)
