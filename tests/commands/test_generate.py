"""``spinn generate``: the flags of each corpus, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spinn.commands.main import main
from spinn.generators import logic


def manifest(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "manifest.json").read_text()))


def test_listops_takes_seed_sizes_and_limits(tmp_path: Path, capsys) -> None:
    flags = ["--train", "50", "--dev", "5", "--test", "8", "--max-depth", "3", "--max-length", "9"]
    assert main(["generate", "listops", str(tmp_path), "--seed", "4", *flags]) == 0
    assert f"Written: {tmp_path}" in capsys.readouterr().err
    sizes = {"train": 50, "dev": 5, "test": 8}
    for split, size in sizes.items():
        lines = (tmp_path / f"{split}.tsv").read_text().splitlines()
        assert len(lines) == size
        words = [line.split("\t")[1].replace("( ", "").replace(" )", "").split() for line in lines]
        assert max(map(len, words)) <= 9
    made = manifest(tmp_path)
    assert (made["corpus"], made["seed"]) == ("listops", 4)
    assert made["settings"] == sizes | {"max_depth": 3, "max_length": 9}


def test_logic_takes_seed_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logic, "PUBLISHED", (36, 40))  # the published numbers take too long here
    flags = ["--largest", "3", "--pairs", "7"]
    assert main(["generate", "logic", str(tmp_path), "--seed", "4", *flags]) == 0
    lines = {path.name: len(path.read_text().splitlines()) for path in tmp_path.glob("t*")}
    assert lines == {"train0": 30, "train1": 34, "test0": 6, "test1": 6, "test2": 7, "test3": 7}
    made = manifest(tmp_path)
    assert (made["corpus"], made["seed"]) == ("logic", 4)
    assert made["settings"] == {"largest": 3, "pairs": 7}


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["listops", "--dev", "0"], "--dev is 0; it must be at least 1."),
        (["listops", "--train", "20", "--max-depth", "1"], "Reduce the sizes"),
        (["logic", "--largest", "16"], "it must be from 0 to 15"),
        (["sample", "--test", "-1"], "test cannot have -1 pairs"),
        (["sample", "--test-longer", "-1"], "test-longer cannot have -1 pairs"),
    ],
)
def test_what_cannot_be_had_is_refused_in_a_line(
    tmp_path: Path, capsys, flags: list[str], told: str
) -> None:
    corpus, *others = flags
    assert main(["generate", corpus, str(tmp_path / "made"), *others]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("spinn:")]
    assert told in line
    assert not (tmp_path / "made").exists()


def test_a_corpus_has_only_its_own_flags(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["generate", "logic", str(tmp_path / "made"), "--max-depth", "3"])
    assert exit.value.code == 2
    assert "unrecognized arguments: --max-depth" in capsys.readouterr().err
