"""Completion in a shell: the scripts are valid and complete commands, flags, choices and paths."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from spinn.commands.completion import SHELLS
from spinn.commands.main import main

pytest.importorskip("shtab", reason="shtab is not installed")


def script(capsys: pytest.CaptureFixture[str], shell: str) -> str:
    with pytest.raises(SystemExit, match="0"):
        main(["--print-completion", shell])
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script_of_all_commands(capsys, shell):
    text = script(capsys, shell)
    assert shell == "tcsh" or "--hidden-size" in text
    for command in ("train", "predict", "parse", "generate"):
        assert command in text


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_flags_choices_and_paths(capsys, tmp_path):
    path = tmp_path / "spinn.sh"
    path.write_text(script(capsys, "bash"))
    subprocess.run(["bash", "-n", str(path)], check=True)
    (tmp_path / "corpus.jsonl").write_text("")
    (tmp_path / "a-run").mkdir()
    lines = ["spinn tr", "spinn train --tr", "spinn train --trees bal", "spinn predict a-",
             "spinn evaluate r --files cor", "spinn train --preset spinn-pi-",
             "spinn lm train --preset a"]  # fmt: skip
    expected = [
        {"train"},
        {"--trees", "--tracker", "--train", "--tracker-size"},
        {"balanced"},
        {"a-run"},
        {"corpus.jsonl"},
        {"spinn-pi-nt"},
        {"awd"},
    ]
    for line, words in zip(lines, expected, strict=True):
        assert words <= completed(path, line), line


def completed(path: Path, line: str) -> set[str]:
    """Return the completions of the last word of a line in bash."""
    commands = (
        f"source {path.name}; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
        f'COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}; '
        '"$(complete -p spinn | sed "s/.*-F \\([^ ]*\\) .*/\\1/")"; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", commands], cwd=path.parent, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())
