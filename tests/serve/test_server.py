"""The command and the server: how it starts, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from spinn.commands.main import main
from spinn.pretrained import save_trained
from spinn.serve.served import load_models
from spinn.serve.server import bind
from spinn.support.errors import SpinnError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(models: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    save_trained(models["spinn"]._trained, folder)
    return folder


def test_the_server_starts_answers_and_stops(run):
    process = subprocess.Popen(
        [sys.executable, "-m", "spinn", "serve", str(run), "--port", "0"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(
            r"Serving 1 model at (http://127\.0\.0\.1:\d+) - stop with Ctrl-C\.\n", line
        )
        assert found, line
        with urllib.request.urlopen(f"{found[1]}/api/models", timeout=30) as response:
            assert [one["name"] for one in json.load(response)["models"]] == ["tiny"]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()


def test_a_port_in_use_is_an_error(run, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", str(run), "--port", str(port)]) == 2
    message = capsys.readouterr().err
    assert f"spinn: 127.0.0.1, port {port}: the server cannot listen there (" in message
    assert message.count("\n") == 1


def test_an_address_that_does_not_exist_is_an_error():
    with pytest.raises(SpinnError, match="the server cannot listen there"):
        bind("no.such.host.invalid", 0)
    with pytest.raises(SpinnError, match="--port 65536 is no port"):
        bind("127.0.0.1", 65_536)


def test_without_the_libraries_one_sentence_tells_what_to_install(capsys, monkeypatch):
    for name in ("spinn.serve.server", "uvicorn"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "run"]) == 2
    message = "spinn: The page requires uvicorn; install what it needs with: "
    assert capsys.readouterr().err == f"{message}python -m pip install fastapi uvicorn\n"


def test_runs_are_named_after_their_folders(models):
    predictor = models["spinn"]._predictors["own"]
    paths = [Path("a/one"), Path("b/one"), Path("two")]
    assert list(load_models(paths, lambda path: predictor)) == ["a/one", "b/one", "two"]
    for again in (Path("two"), Path("two").absolute()):
        with pytest.raises(SpinnError, match="two is given twice"):
            load_models([Path("two"), again], lambda path: predictor)
