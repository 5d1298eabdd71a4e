"""The whole inputs that are mutated: small corpora, vectors, configurations, runs, caches.

They are made once, with paths relative to the working folder, so that their bytes are the same
wherever they are.
"""

from __future__ import annotations

import gzip
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from spinn.commands.main import main

FOLDER = Path("originals")

_PAIRS = (
    ("entailment", "( ( A dog ) ( runs . ) )", "( ( A dog ) moves )"),
    ("neutral", "( ( A dog ) ( runs . ) )", "( It ( sees ( a cat ) ) )"),
    ("contradiction", "( ( Two ( old men ) ) ( sit down ) )", "( Nobody sits )"),
    ("entailment", "( ( A ( caf\u00e9 owner ) ) smiles )", "( Somebody smiles )"),
    ("-", "( A cat )", "( A dog )"),
    ("neutral", "( ( A dog ) ( runs . ) )", "( It runs )"),
)
_LOGIC = (
    ("=", "( a ( and b ) )", "( b ( and a ) )"),
    ("<", "( a ( and b ) )", "a"),
    ("#", "( not a )", "( b ( or c ) )"),
)
_EXPRESSIONS = (
    ("9", "( ( ( [MAX 2 ) 9 ) ] )"),
    ("1", "( ( ( [MIN ( ( ( [MED 1 ) 5 ) ] ) ) 4 ) ] )"),
    ("7", "7"),
)
_VECTORS = "".join(
    f"{word} {number / 4} -0.5 {number} 1e-2\n"
    for number, word in enumerate(("a", "dog", "cat", "runs", ".", "caf\u00e9", "unseen"))
)
_TINY = (
    *("--hidden-size", "8", "--embedding-size", "6", "--classifier-width", "8"),
    *("--classifier-layers", "1", "--batch-size", "4", "--minimum-count", "1", "--seed", "3"),
)
_QUICK = ("--epochs", "1", "--threads", "1", "--device", "cpu", "--no-cache", "--no-tensorboard")
# The parts that a configuration has besides.
_PARSED = ("--tracker", "--tracker-size", "4", "--predict")
_STUDY = """seeds = [1, 2]

[study]
title = "Two encoders"
task = "toy"

[base]
epochs = 1
hidden_size = 8
train = ["originals/snli/train.jsonl"]
dev = ["originals/snli/dev.jsonl"]

[[row]]
name = "SPINN"
tracker = true

[[row]]
name = "LSTM"
encoder = "lstm"

[vary]
learning_rate = [0.1, 0.01]
"""
_CACHE_FLAGS = ("--data-directory", "originals/data", "--minimum-count", "1")


def texts() -> dict[str, str]:
    """Return the text of each original by its path."""
    return {
        "snli/train.jsonl": "".join(_json(*pair) for pair in _PAIRS),
        "multinli/train.jsonl": "".join(_json(*pair) for pair in _PAIRS[:4]),
        "sick/train.txt": "%%% from SICK\n" + _tabs(_PAIRS[:4]),
        "logic/train.tsv": _tabs(_LOGIC),
        "listops/train.tsv": _tabs(_EXPRESSIONS),
        "tsv/train.tsv": "label\tpremise\thypothesis\n"
        + _tabs((label, _plain(one), _plain(other)) for label, one, other in _PAIRS[:4]),
        "stdin/pairs.txt": "A dog runs.\tIt moves.\n( ( A dog ) runs )\t( A cat )\n",
        "stdin/sentences.txt": "( ( [MAX 2 ) ] )\n7\n",
        "vectors/vectors.txt": _VECTORS,
        "study/study.toml": _STUDY,
    }


def write_originals() -> None:
    """Write all originals to :data:`FOLDER`.

    Raises
    ------
    RuntimeError
        If a command fails.

    """
    for name, text in texts().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.stem in ("train", "vectors"):
            compressed = gzip.compress(text.encode(), mtime=0)
            path.with_name(f"{path.name}.gz").write_bytes(compressed)
        if path.stem == "train":
            path.with_stem("dev").write_text(text, encoding="utf-8")
    _write_prepared()
    _write_runs()
    _write_configurations()
    _call("prepare", "scratch", *sets("snli"), *_VECTOR_FLAGS, *_CACHE_FLAGS)


_VECTOR_FLAGS = ("--vectors", "originals/vectors/vectors.txt")


def sets(name: str) -> tuple[str, ...]:
    """Return the flags of the training and development files of a corpus."""
    ending = Path(next(path for path in texts() if path.startswith(f"{name}/train"))).suffix
    parts = ((f"--{part}", f"{FOLDER}/{name}/{part}{ending}") for part in ("train", "dev"))
    return tuple(flag for part in parts for flag in part)


def _write_prepared() -> None:
    flags = ("--no-cache", "--minimum-count", "1")
    _call("prepare", f"{FOLDER}/prepared/pairs", *sets("snli"), *flags)
    _call("prepare", f"{FOLDER}/prepared/sentences", *sets("listops"), *flags)
    extra = (*_VECTOR_FLAGS, "--data-directory", "scratch-data")
    _call("prepare", f"{FOLDER}/prepared/vectors", *sets("snli"), *flags, *extra)


def _write_runs() -> None:
    common = (*_TINY, *_QUICK)
    _call("train", "--output", f"{FOLDER}/runs/pairs", *sets("snli"), *common, *_PARSED)
    _call("train", "--output", f"{FOLDER}/runs/sentences", *sets("listops"), *common)


def _write_configurations() -> None:
    from spinn.config_files import as_toml, load_configuration

    configuration = load_configuration(FOLDER / "runs/pairs/config.json")
    place = FOLDER / "configurations"
    place.mkdir()
    lines = as_toml(configuration).split("\n")
    unseeded = "\n".join(line for line in lines if not line.startswith("seed = "))
    (place / "run.toml").write_text(unseeded, encoding="utf-8")
    options = configuration.as_dict()
    del options["training"]["seed"]
    (place / "run.json").write_text(json.dumps(options, indent=1), encoding="utf-8")


def _call(*arguments: str) -> None:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as complained:
        status = main(arguments)
    if status != 0:
        raise RuntimeError(f"spinn {' '.join(arguments)}: {complained.getvalue()}")


def _json(label: str, premise: str, hypothesis: str) -> str:
    row = {"gold_label": label, "pairID": f"{label}1"}
    for number, tree in ((1, premise), (2, hypothesis)):
        row[f"sentence{number}"] = _plain(tree)
        row[f"sentence{number}_binary_parse"] = tree
    return json.dumps(row, ensure_ascii=False) + "\n"


def _plain(tree: str) -> str:
    return " ".join(tree.replace("(", "").replace(")", "").split())


def _tabs(rows: object) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)  # type: ignore[attr-defined]
