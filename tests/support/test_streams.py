"""Standard streams that cannot take every character, that are closed, full or broken."""

from __future__ import annotations

import errno
import io
import logging
import sys

from spinn.commands.main import main
from spinn.support.logs import printed_messages
from spinn.support.streams import can_encode, prepare_output


class Failing(io.StringIO):
    """A stream whose device fails when it is flushed."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def flush(self) -> None:
        raise OSError(self._number, "No space left on device")


def test_characters_that_a_stream_cannot_take_are_escaped(monkeypatch):
    for encoding, written in (("ascii", b"\\xe9 \\u8a9e"), ("latin-1", b"\xe9 \\u8a9e")):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
        prepare_output()
        print("é 語", end="", flush=True)
        assert raw.getvalue() == written
        assert can_encode(sys.stdout, "plain")
        assert not can_encode(sys.stdout, "語")
    assert can_encode(io.StringIO(), "é")


def test_bytes_of_file_names_that_are_not_utf8_are_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, "utf-8"))
    assert main(["evaluate", "caf\udce9"]) == 2
    assert raw.getvalue().startswith(b"spinn: caf\\udce9: this is no run")


def test_streams_that_are_closed_discard_the_output(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["train", "--print-config"]) == 0
    assert main(["evaluate", "nowhere"]) == 2


def test_a_full_disk_is_reported_in_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Failing(errno.ENOSPC))
    assert main(["train", "--print-config"]) == 2
    assert capsys.readouterr().err == (
        "spinn: the output cannot be written (No space left on device). Free some space, or send "
        "it elsewhere.\n"
    )


def test_a_reader_that_has_exited_ends_the_command_quietly(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Failing(errno.EPIPE))
    assert main(["train", "--print-config"]) == 1
    assert capsys.readouterr().err == ""


def test_messages_that_cannot_be_written_do_not_stop_the_work(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Failing(errno.ENOSPC))
    with printed_messages():
        logging.getLogger("spinn").info("lost")
