"""Wrong flags, values and commands: one sentence with the nearest right name, and status 2."""

from __future__ import annotations

import pytest

from spinn.commands.main import main


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["trian"], "'train'"),
        (["train", "--hiden-size", "3"], "'--hidden-size'"),
        (["train", "--hiden-size=3"], "'--hidden-size'"),
        (["train", "--trees", "blanaced"], "'balanced'"),
        (["train", "--preset", "spin"], "'spinn'"),
        (["train", "--no-tensorbord"], "'--no-tensorboard'"),
        (["predict", "run", "--jsn", "a", "b"], "'--json'"),
        (["parse", "run", "file", "--ouput", "x"], "'--output'"),
        (["evaluate", "run", "--checkpoint", "bset"], "'best'"),
        (["evaluate", "--fils", "x"], "'--files'"),
        (["generate", "smaple", "x"], "'sample'"),
    ],
)
def test_a_wrong_name_gets_the_nearest_right_one(capsys, arguments, meant):
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"(did you mean {meant}?)" in line


def test_a_name_that_is_like_no_other_gets_none(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--xylophone"])
    assert capsys.readouterr().err == "spinn train: error: unrecognized arguments: --xylophone\n"


def test_an_empty_name_of_a_folder_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--output", ""])
    assert "argument --output: the name of the folder is empty" in capsys.readouterr().err


def test_a_flag_may_be_abbreviated(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--hel"])
    assert capsys.readouterr().out.startswith("usage: spinn train")


def test_a_very_long_argument_is_named_in_part(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["predict", "run", "-" * 50_000])
    (line,) = capsys.readouterr().err.splitlines()
    assert "unrecognized arguments: ---" in line
    assert len(line) < 1_100
