"""``spinn predict``: how its sentences are given, and what it answers on any stream."""

from __future__ import annotations

import codecs
import io
import json
import sys
from pathlib import Path

import pytest

import spinn
from spinn.commands import predict
from spinn.commands.main import main
from spinn.commands.parser import Parser

pytest.importorskip("spacy")

PREMISES = ("( ( a dog ) runs )", "( ( a cat ) sleeps )")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Train a small model with a tracker."""
    folder = tmp_path_factory.mktemp("predict")
    lines = [f"neutral\t{one}\t{other}\n" for one in PREMISES for other in PREMISES]
    for split in ("train", "dev"):
        (folder / f"{split}.tsv").write_text("".join(lines * 2))
    flags = ["--tracker", "--predict", "--hidden-size", "8", "--epochs", "1", "--threads", "1"]
    flags += ["--no-tensorboard", "--no-cache", "--output", str(folder / "run")]
    assert main(["train", "--data", str(folder), *flags]) == 0
    return str(folder / "run")


def give(monkeypatch: pytest.MonkeyPatch, content: bytes, encoding: str = "utf-8") -> None:
    stream = io.TextIOWrapper(io.BytesIO(content), encoding, errors="surrogateescape")
    monkeypatch.setattr(sys, "stdin", stream)


def written(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: str) -> str:
    """Return what is printed to a stream of an encoding."""
    raw = io.BytesIO()
    with monkeypatch.context() as patch:
        stream = io.TextIOWrapper(raw, encoding)
        patch.setattr(sys, "stdout", stream)
        assert main(["predict", *arguments]) == 0
        return raw.getvalue().decode(encoding)


def answers(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict]:
    assert main(["predict", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_trees_are_drawn_in_ascii_where_the_stream_cannot_take_others(run, capsys, monkeypatch):
    assert main(["predict", run, "A dog runs.", "A café.", "--ascii"]) == 0
    plain = capsys.readouterr().out
    for encoding in ("cp1252", "latin-1"):
        assert written(monkeypatch, encoding, run, "A dog runs.", "A café.") == plain


def test_json_is_json_in_any_encoding(run, capsys, monkeypatch):
    given = [run, "--json", "A 語 runs.", "A café."]
    (expected,) = answers(capsys, *given)
    assert json.loads(written(monkeypatch, "ascii", *given)) == expected


def test_arguments_are_utf8_whatever_the_locale_is(run, capsys):
    expected = answers(capsys, run, "--json", "A café.", "A dog.")
    escaped = "A café.".encode().decode("ascii", "surrogateescape")  # as LC_ALL=POSIX decodes it
    assert answers(capsys, run, "--json", escaped, "A dog.") == expected
    assert main(["predict", run, "A caf\udce9.", "A dog."]) == 2
    assert "is not UTF-8" in capsys.readouterr().err


def test_standard_input_is_utf8_with_or_without_a_mark(run, capsys, monkeypatch):
    lines = "A dog runs.\tA café.\r\n"
    give(monkeypatch, lines.encode())
    (expected,) = answers(capsys, run, "--json")
    for encoding in ("utf-8", "ascii", "cp1252"):
        give(monkeypatch, codecs.BOM_UTF8 + lines.encode(), encoding)
        assert answers(capsys, run, "--json") == [expected]


def test_without_standard_input_there_is_one_message(run, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["predict", run]) == 2
    assert "There is no standard input" in capsys.readouterr().err
    assert len(answers(capsys, run, "--json", "A dog.", "A cat.")) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_text_in_a_wide_encoding_is_named(run, capsys, monkeypatch, encoding):
    give(monkeypatch, "A dog.\tA cat.\n".encode(encoding))
    assert main(["predict", run, "--json"]) == 2
    message = capsys.readouterr().err
    assert f"standard input: this is text in {encoding[:6].upper()}" in message
    assert "iconv" in message


def test_a_blank_line_among_others_is_named(run, capsys, monkeypatch):
    give(monkeypatch, b"a dog\ta cat\n\na dog\ta cat\n")
    assert main(["predict", run, "--json"]) == 2
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert "standard input, line 2: the line is blank" in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["RUN", "--json", "A dog.", "A cat."],
        ["RUN", "A dog.", "--json", "A cat."],
        ["RUN", "A dog.", "A cat.", "--json"],
        ["--json", "RUN", "A dog.", "A cat."],
        ["RUN", "--json", "A dog.", "--checkpoint", "best", "A cat."],
        ["--json", "RUN", "A dog.", "--checkpoint", "last", "A cat."],
        ["--json", "--", "RUN", "A dog.", "A cat."],
    ],
)
def test_flags_may_be_anywhere_among_the_sentences(run, capsys, arguments):
    given = [run if text == "RUN" else text for text in arguments]
    (answer,) = answers(capsys, *given)
    words = answer["premise"].replace("(", "").replace(")", "").split()
    assert words == ["A", "dog", "."]


@pytest.mark.parametrize("text", ["- a dog runs", "-- he said", "-h is a letter", "--json runs"])
def test_text_that_begins_with_a_dash_is_text(run, capsys, text):
    (answer,) = answers(capsys, run, "--json", text, "a dog")
    assert answer["hypothesis"] == "( a dog )"


def test_a_word_that_begins_with_a_dash_follows_two_dashes(run, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["predict", run, "-dog", "a dog"])
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.endswith("-dog (write -- before sentences that begin with a dash)")
    (answer,) = answers(capsys, run, "--json", "--", "-dog", "a dog")
    assert answer["premise"] == "( - dog )"


def test_text_that_begins_with_a_bracket_is_text_unless_it_is_a_tree(run, capsys):
    (answer,) = answers(capsys, run, "--json", "( laughter ) a dog runs .", "( a dog )")
    words = answer["premise"].replace("(", "").replace(")", "").split()
    assert words == ["-LRB-", "laughter", "-RRB-", "a", "dog", "runs", "."]
    assert answer["hypothesis"] == "( a dog )"
    assert main(["predict", run, "( ( a dog ) runs", "a dog"]) == 2
    assert "if this is text" in capsys.readouterr().err


def test_unknown_words_are_counted_and_named(run, capsys):
    given = ["predict", run, "A zebra zebra runs", "an okapi", "--json"]
    assert main(given) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["unknown"] == ["zebra", "an", "okapi"]
    assert captured.err == "Unknown to the model: 4 of 6 words (zebra, an, okapi).\n"
    assert answers(capsys, run, "a dog", "a cat", "--json")[0]["unknown"] == []


def test_answers_are_those_of_the_interface_for_python(run, capsys, monkeypatch):
    pairs = [("A dog runs.", "a cat"), ("( ( a cat ) sleeps )", "a <b> dog runs"), ("a", "dog")]
    give(monkeypatch, "".join("\t".join(pair) + "\n" for pair in pairs).encode())
    expected = answers(capsys, run, "--json")
    model = spinn.load(run)
    assert [prediction.as_dict() for prediction in model.predict(pairs)] == expected
    for prediction, answer in zip(model.predict(pairs[::-1]), expected[::-1], strict=True):
        assert prediction.label == answer["predicted"]
        assert prediction.probabilities == pytest.approx(answer["probabilities"], abs=2e-6)
    assert [model.parse(premise).brackets for premise, _ in pairs] == [
        answer["premise"] for answer in expected
    ]
    (drawn, _) = model.predict(pairs[0]).trees
    assert main(["predict", run, *pairs[0]]) == 0
    assert drawn.draw() in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "path", "sentences"),
    [
        (["A dog.", "A cat."], None, ["A dog.", "A cat."]),
        (["( a dog )", "( a cat )"], None, ["( a dog )", "( a cat )"]),
        (["runs/spinn", "A dog.", "A cat."], Path("runs/spinn"), ["A dog.", "A cat."]),
        (["snli-79k"], Path("snli-79k"), []),
        (["a b", "Dogs."], Path("a b"), ["Dogs."]),
        (["- dog", "cat"], None, ["- dog", "cat"]),
        ([], None, []),
    ],
)
def test_a_first_argument_without_blanks_or_a_folder_is_the_run(
    tmp_path, monkeypatch, arguments, path, sentences
):
    monkeypatch.chdir(tmp_path)
    Path("a b").mkdir()
    parser = Parser()
    predict.add_arguments(parser)
    namespace = predict.parse_arguments(parser, [*arguments, "--json"])
    assert (namespace.run, namespace.sentences) == (path, sentences)
