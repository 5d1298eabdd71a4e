"""Lines: gzip, byte order marks, pipes, and files that cannot be opened."""

from __future__ import annotations

import json
import os
import threading

import pytest
from rows import ROW, read, write

from spinn.data.formats import detect_format
from spinn.support.errors import DataError


def test_gzip_is_told_by_content_not_by_name(tmp_path):
    plain = write(tmp_path / "plain.jsonl.gz", ROW)
    packed = write(tmp_path / "packed.jsonl", ROW, compress=True)
    for path in (plain, packed):
        assert read(path)[0].premise.words == ["A", "dog", "runs", "."]


def test_byte_order_mark_is_ignored(tmp_path):
    path = write(tmp_path / "f", b"\xef\xbb\xbf" + json.dumps(ROW).encode())
    assert detect_format(path).name == "snli"
    assert len(read(path)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_file_is_opened_once_so_that_a_pipe_will_do(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=write, args=(pipe, ROW, ROW))
    writer.start()
    assert len(read(pipe)) == 2
    writer.join()


def test_missing_file_and_folder(tmp_path):
    for open_it in (read, detect_format):
        with pytest.raises(DataError, match=r"nowhere: there is no such file\. Check the path"):
            open_it(tmp_path / "nowhere")
        with pytest.raises(DataError, match="this is a folder"):
            open_it(tmp_path)
