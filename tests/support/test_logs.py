"""The messages of the package: printed on a command line, left to :mod:`logging` elsewhere."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from spinn.commands.main import main
from spinn.support.logs import printed_messages

LOGGER = logging.getLogger("spinn.data.find")


def test_bare_messages_go_to_stderr_once(capsys, caplog):
    with printed_messages():
        LOGGER.info("100% of {it}")
        LOGGER.warning("also this")
        LOGGER.debug("not this")
        logging.getLogger("other").info("nor this")
    assert capsys.readouterr() == ("", "100% of {it}\nalso this\n")
    assert not caplog.messages  # handlers of the root logger would print them again


def test_the_stream_is_the_one_of_the_moment(capsys, monkeypatch):
    with printed_messages():
        monkeypatch.setattr(sys, "stderr", sys.stdout)
        LOGGER.info("here")
    assert capsys.readouterr().out == "here\n"


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "No space left on device")])
def test_an_error_of_the_stream_does_not_end_the_work(monkeypatch, error):
    def write(text: str) -> None:
        raise error

    monkeypatch.setattr(sys.stderr, "write", write)
    with printed_messages():
        LOGGER.info("nobody reads this")
    monkeypatch.setattr(sys, "stderr", None)  # as if it was closed
    with printed_messages():
        LOGGER.info("nor this")


def test_a_message_of_a_signal_that_interrupts_another_is_printed(capfd, monkeypatch):
    def flush() -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    monkeypatch.setattr(sys.stderr, "write", lambda text: flush())
    with printed_messages():
        LOGGER.info("stopping é")
    assert capfd.readouterr().err == "stopping é\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
def test_a_full_device_does_not_change_the_exit_status():
    command = [sys.executable, "-m", "spinn", "evaluate", "nowhere"]
    with open("/dev/full", "w") as full:
        assert subprocess.run(command, stderr=full, check=False).returncode == 2


def test_afterwards_logging_is_as_before(capsys, caplog):
    logger = logging.getLogger("spinn")
    before = logger.level, logger.propagate, list(logger.handlers)
    for _ in range(2):
        assert main(["generate", "sample", "/dev/null/no"]) == 2
        assert capsys.readouterr().err.count("Generating;") == 1
        assert (logger.level, logger.propagate, logger.handlers) == before
    LOGGER.info("not printed")
    LOGGER.warning("taken by handlers of the program")
    assert caplog.messages == ["taken by handlers of the program"]
    assert capsys.readouterr().err == ""
