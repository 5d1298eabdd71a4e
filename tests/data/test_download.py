"""Downloads, from a server on this machine: whole, broken, wrong, resumed, absent."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import logging
import os
import shutil
import socket
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from spinn.data import download
from spinn.data.archives import ARCHIVES, Archive
from spinn.data.download import corpus_files, ensure, vector_file
from spinn.support.errors import ConfigurationError, SpinnError

MEMBERS = {"toy_1.0/train.jsonl": b'{"a": 1}\n' * 5000, "toy_1.0/dev.jsonl": b"dev\n"}


def make_zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored, so that a byte can be spoilt
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Server:
    """What the test server sends, and what was asked of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.cut: int | None = None  # close the connection after so many bytes
        self.resumes = True
        self.ranges: list[str | None] = []  # the Range header of each request
        handler = partial(Handler, self)
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)  # type: ignore[arg-type]
        self.url = f"http://127.0.0.1:{self.http.server_port}/toy_1.0.zip"


class Handler(BaseHTTPRequestHandler):
    def __init__(self, server: Server, *arguments: object) -> None:
        self.state = server
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.state.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if not self.path.endswith("toy_1.0.zip"):
            return self.send_error(404)
        if not self.state.resumes:
            start = 0
        if start and start >= len(self.state.content):
            return self.send_error(416)
        rest = self.state.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.state.cut])
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    server = Server(make_zip(MEMBERS))
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def offer(server: Server, monkeypatch: pytest.MonkeyPatch):
    """Enter the server's archive as ``toy``, with what is known of it."""

    def enter(**known: object) -> None:
        facts = {"name": "toy", "url": server.url, "size": None, "sha256": None, "md5": None}
        archive = Archive(**(facts | {"members": tuple(MEMBERS)} | known))  # type: ignore[arg-type]
        monkeypatch.setitem(ARCHIVES, "toy", archive)

    enter(
        size=len(server.content),
        sha256=hashlib.sha256(server.content).hexdigest(),
        md5=hashlib.md5(server.content).hexdigest(),
    )
    return enter


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != ".lock"}


FILES = {Path(name).name: content for name, content in MEMBERS.items()}


def test_success_leaves_just_the_files(tmp_path, server, offer, caplog):
    directory = tmp_path / "data" / "toy"
    with caplog.at_level(logging.INFO, "spinn"):
        paths = ensure("toy", directory)
    assert paths == [directory / "train.jsonl", directory / "dev.jsonl"]
    assert contents(directory) == FILES
    assert "toy_1.0.zip: 0.0 of 0.0 MB" in caplog.messages  # plain lines, as it is no terminal


def test_of_two_that_want_the_same_at_once_one_downloads_it(tmp_path, server, offer):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ensure, ["toy"] * 2, [tmp_path] * 2)
    assert first == second == [tmp_path / "train.jsonl", tmp_path / "dev.jsonl"]
    assert contents(tmp_path) == FILES
    assert server.ranges == [None]


def test_terminal_gets_a_bar(tmp_path, server, offer, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ensure("toy", tmp_path)
    assert "100%" in capsys.readouterr().err


def test_files_already_there_cost_no_request(tmp_path, server, offer):
    ensure("toy", tmp_path)
    (tmp_path / "train.jsonl").write_bytes(b"mine")
    server.ranges.clear()
    assert len(ensure("toy", tmp_path)) == 2
    assert server.ranges == []
    assert (tmp_path / "train.jsonl").read_bytes() == b"mine"


def test_files_are_found_in_the_folder_of_the_archive_and_compressed(tmp_path, server, offer):
    (tmp_path / "toy_1.0").mkdir()
    (tmp_path / "toy_1.0/train.jsonl").write_bytes(b"train")
    (tmp_path / "dev.jsonl.gz").write_bytes(gzip.compress(b"dev"))
    found = [tmp_path / "toy_1.0/train.jsonl", tmp_path / "dev.jsonl.gz"]
    assert ensure("toy", tmp_path) == found
    assert server.ranges == []


def test_archive_put_there_by_hand_is_unpacked_and_kept(tmp_path, server, offer):
    (tmp_path / "toy_1.0.zip").write_bytes(server.content)
    assert len(ensure("toy", tmp_path, download=False)) == 2
    assert contents(tmp_path) == FILES | {"toy_1.0.zip": server.content}
    assert server.ranges == []


def test_only_what_is_missing_is_unpacked(tmp_path, server, offer):
    (tmp_path / "dev.jsonl").write_bytes(b"mine")
    ensure("toy", tmp_path)
    assert contents(tmp_path) == FILES | {"dev.jsonl": b"mine"}


def test_names_that_lead_out_of_the_folder_do_not(tmp_path, server, offer):
    server.content = make_zip({"../evil.txt": b"evil", "/evil.txt": b"evil", **MEMBERS})
    directory = tmp_path / "a" / "b"
    offer(size=None)
    ensure("toy", directory)
    assert not list(tmp_path.rglob("evil.txt"))
    assert contents(directory) == FILES
    # Even were such a file wanted, it goes into the folder.
    offer(members=("../evil.txt",))
    assert ensure("toy", directory) == [directory / "evil.txt"]
    assert not (directory.parent / "evil.txt").exists()


@pytest.mark.parametrize(
    ("known", "cause"),
    [
        ({"sha256": "0" * 64}, "sha256 checksum is not the published one"),
        ({"md5": "0" * 32}, "md5 checksum is not the published one"),
        ({"size": 12}, "bytes where 12 are expected"),
    ],
)
def test_wrong_archive_is_removed(tmp_path, offer, known, cause):
    offer(**known)
    (tmp_path / "dev.jsonl").write_bytes(b"mine")
    with pytest.raises(SpinnError, match=cause):
        ensure("toy", tmp_path)
    assert contents(tmp_path) == {"dev.jsonl": b"mine"}


def test_wrong_archive_put_there_by_hand_is_left_alone(tmp_path, server, offer):
    (tmp_path / "toy_1.0.zip").write_bytes(server.content[:-1])
    with pytest.raises(SpinnError, match=r"is not the published toy_1.0.zip"):
        ensure("toy", tmp_path)
    assert contents(tmp_path) == {"toy_1.0.zip": server.content[:-1]}
    assert server.ranges == []


@pytest.mark.parametrize("resumes", [True, False])
def test_broken_connection_is_told_and_the_next_run_goes_on(tmp_path, server, offer, resumes):
    server.cut, server.resumes = 1000, resumes
    with pytest.raises(SpinnError, match=r"ended after 1,000 of .* run again, or get http"):
        ensure("toy", tmp_path)
    assert contents(tmp_path) == {"toy_1.0.zip.part": server.content[:1000]}
    server.cut = None
    ensure("toy", tmp_path)
    assert server.ranges == [None, "bytes=1000-"]
    assert contents(tmp_path) == FILES


def test_part_that_is_complete_is_not_asked_for_again(tmp_path, server, offer):
    (tmp_path / "toy_1.0.zip.part").write_bytes(server.content)
    ensure("toy", tmp_path)
    assert server.ranges == []
    assert contents(tmp_path) == FILES


def test_part_that_is_longer_than_the_file_is_begun_anew(tmp_path, server, offer):
    (tmp_path / "toy_1.0.zip.part").write_bytes(server.content + b"more")
    ensure("toy", tmp_path)
    assert server.ranges == [f"bytes={len(server.content) + 4}-", None]
    assert contents(tmp_path) == FILES


def test_spoilt_member_fails_its_checksum_and_is_not_kept(tmp_path, server, offer):
    offer()  # as with GloVe, nothing is known of the archive beforehand
    server.content = server.content.replace(b'{"a": 1}', b'{"a": 2}', 1)
    with pytest.raises(SpinnError, match=r"damaged: Bad CRC-32.* download it again"):
        ensure("toy", tmp_path)
    assert contents(tmp_path) == {}


def test_a_member_that_expands_without_end_is_refused(tmp_path, server, offer, monkeypatch):
    offer()
    monkeypatch.setattr(download, "_LARGE", 1000)
    monkeypatch.setattr(download, "_EXPANSION", 0.5)
    with pytest.raises(SpinnError, match=r"toy_1.0/train.jsonl expands from 45,000 to 45,000"):
        ensure("toy", tmp_path)
    assert contents(tmp_path) == {}


def test_links_in_place_of_parts_are_not_followed(tmp_path, server, offer):
    (tmp_path / "mine").write_bytes(b"mine")
    for name in ("toy_1.0.zip", "train.jsonl", "dev.jsonl"):
        (tmp_path / f"{name}.part").symlink_to(tmp_path / "mine")
    ensure("toy", tmp_path)
    assert contents(tmp_path) == FILES | {"mine": b"mine"}


def test_an_archive_that_is_longer_than_published_is_not_read_to_its_end(tmp_path, server, offer):
    offer(size=100)
    with pytest.raises(SpinnError, match="is not the published"):
        ensure("toy", tmp_path)
    assert contents(tmp_path) == {}


def test_archive_without_the_member_and_no_archive_at_all(tmp_path, server, offer):
    offer(members=("toy_1.0/test.jsonl",))
    with pytest.raises(SpinnError, match=r"it does not contain toy_1.0/test.jsonl"):
        ensure("toy", tmp_path)
    server.content = b"<html>Log in to this network</html>"
    with pytest.raises(SpinnError, match="damaged: File is not a zip file"):
        ensure("toy", tmp_path)
    assert contents(tmp_path) == {}


def test_refusal_by_the_server(tmp_path, server, offer):
    offer(url=server.url.replace("toy_1", "gone_1"))
    with pytest.raises(SpinnError, match=r"gone_1.0.zip was refused: 404 .* put it into"):
        ensure("toy", tmp_path)
    assert contents(tmp_path) == {}


def test_offline_says_where_to_get_the_file_and_where_to_put_it(tmp_path, offer):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/toy_1.0.zip"
        offer(url=url)
        with pytest.raises(SpinnError) as caught:
            ensure("toy", tmp_path)
    assert f"get {url}" in str(caught.value)
    assert f"put it into {tmp_path}" in str(caught.value)


def test_silent_server(tmp_path, offer, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        offer(url=f"http://127.0.0.1:{silent.getsockname()[1]}/toy_1.0.zip")
        with pytest.raises(SpinnError, match=r"timed out.*Check the network"):
            ensure("toy", tmp_path)


@pytest.mark.parametrize("step", ["download", "unpack"])
def test_full_disk_leaves_earlier_files_alone(tmp_path, server, offer, monkeypatch, step):
    (tmp_path / "dev.jsonl").write_bytes(b"mine")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step == "download":
        monkeypatch.setattr(download._Progress, "update", fail)
    else:
        monkeypatch.setattr(shutil, "copyfileobj", fail)
    with pytest.raises(SpinnError, match=r"No space left.*Free some space and run again"):
        ensure("toy", tmp_path)
    # What was downloaded whole need not be downloaded again.
    kept = {} if step == "download" else {"toy_1.0.zip": server.content}
    assert contents(tmp_path) == {"dev.jsonl": b"mine"} | kept


def test_folder_that_cannot_be_made(tmp_path, offer):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpinnError, match=r"file.*Check the folder"):
        ensure("toy", tmp_path / "file")


def test_unknown_names():
    with pytest.raises(ConfigurationError, match=r"'mnist'\. Choose one of: snli, multinli"):
        ensure("mnist", Path())
    with pytest.raises(ConfigurationError, match=r"'glove.6B.51d'.*glove.6B.50d.*glove.840B.300d"):
        vector_file("glove.6B.51d", Path())


def test_official_facts_are_complete():
    assert set(ARCHIVES) == {"snli", "multinli", "glove.6B", "glove.42B.300d", "glove.840B.300d"}
    for name, archive in ARCHIVES.items():
        assert archive.name == name
        assert archive.url.startswith("https://")
        assert archive.filename.endswith(".zip")
        assert len(archive.sha256 or "0" * 64) == 64
        assert len(archive.md5 or "0" * 32) == 32


def cut_off(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let an archive's address be one where nobody answers."""
    facts = vars(ARCHIVES[name]) | {"url": "http://127.0.0.1:9/archive.zip"}
    monkeypatch.setitem(ARCHIVES, name, Archive(**facts))


def test_corpus_files_are_found_or_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    cut_off(monkeypatch, "snli")
    with pytest.raises(SpinnError, match=r"snli"):
        corpus_files("snli", tmp_path)
    folder = tmp_path / "snli" / "snli_1.0"
    folder.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        (folder / f"snli_1.0_{split}.jsonl").touch()
    assert corpus_files("snli", tmp_path) == {
        split: folder / f"snli_1.0_{split}.jsonl" for split in ("train", "dev", "test")
    }


def test_multinli_is_tested_on_its_mismatched_development_set(tmp_path):
    folder = tmp_path / "multinli"
    folder.mkdir()
    for split in ("train", "dev_matched", "dev_mismatched"):
        (folder / f"multinli_1.0_{split}.jsonl.gz").touch()
    assert {split: path.name for split, path in corpus_files("multinli", tmp_path).items()} == {
        "train": "multinli_1.0_train.jsonl.gz",
        "dev": "multinli_1.0_dev_matched.jsonl.gz",
        "test": "multinli_1.0_dev_mismatched.jsonl.gz",
    }


@pytest.mark.parametrize(
    ("name", "filename"),
    [
        ("glove.840B.300d", "glove.840B.300d.txt"),
        ("glove.42B.300d", "glove.42B.300d.txt"),
        ("glove.6B.50d", "glove.6B.50d.txt"),
        ("glove.6B", "glove.6B.300d.txt"),
    ],
)
def test_vectors_are_found_though_others_of_their_archive_are_not(
    tmp_path, monkeypatch, name, filename
):
    monkeypatch.setenv("no_proxy", "*")
    cut_off(monkeypatch, "glove.6B" if name.startswith("glove.6B") else name)
    with pytest.raises(SpinnError, match=r"glove"):
        vector_file(name, tmp_path)
    path = tmp_path / "glove" / filename
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert vector_file(name, tmp_path) == path


def test_vectors_are_unpacked_from_an_archive_put_there_by_hand(tmp_path, monkeypatch):
    widths = {member: member.encode() for member in ARCHIVES["glove.6B"].members}
    content = make_zip(widths)
    facts = vars(ARCHIVES["glove.6B"]) | {"size": len(content)}
    monkeypatch.setitem(ARCHIVES, "glove.6B", Archive(**facts))
    (tmp_path / "glove").mkdir()
    (tmp_path / "glove" / "glove.6B.zip").write_bytes(content)
    assert vector_file("glove.6B.100d", tmp_path).read_bytes() == b"glove.6B.100d.txt"
