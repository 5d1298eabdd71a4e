"""Files and folders that are written whole or not at all."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import spinn
from spinn.support.errors import SpinnError
from spinn.support.files import (
    as_json,
    require_writable,
    write_lines,
    write_whole,
    written_folder,
    written_whole,
)


def test_a_text_is_written(tmp_path: Path) -> None:
    write_whole(tmp_path / "text", "a child née\n")
    assert (tmp_path / "text").read_bytes() == "a child née\n".encode()
    assert os.listdir(tmp_path) == ["text"]


def test_a_link_in_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / f"f.{os.getpid()}.part").symlink_to(tmp_path / "mine")
    write_whole(tmp_path / "f", "new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "f").read_text() == "new"
    assert not (tmp_path / "f").is_symlink()


def test_a_full_disk_leaves_the_file_before(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "text"
    write_whole(path, "before")

    def fail(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left.*text") as caught:
        write_whole(path, "after")
    assert caught.value.filename == str(path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["text"]


def test_an_interruption_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "text"
    write_whole(path, "before")

    def stop_halfway() -> None:
        with written_whole(path) as scratch:
            scratch.write_text("half of what")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_halfway()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["text"]


def fill(place: Path, text: str) -> None:
    with written_folder(place) as scratch:
        (scratch / text).write_text(text)


def test_a_folder_replaces_the_one_before(tmp_path: Path) -> None:
    place = tmp_path / "further" / "folder"
    fill(place, "one")
    assert os.listdir(place) == ["one"]
    fill(place, "another")
    assert os.listdir(place) == ["another"]
    assert os.listdir(place.parent) == ["folder"]


def test_files_of_a_folder_are_on_disk_before_its_name(tmp_path: Path, monkeypatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: done.append("flushed"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *a: (done.append("named"), replace(*a)))
    with written_folder(tmp_path / "folder") as scratch:
        (scratch / "below").mkdir()
        (scratch / "below" / "one").touch()
        (scratch / "two").touch()
    assert done == ["flushed", "flushed", "named"]


def test_of_two_that_make_the_same_folder_the_first_stays(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    with written_folder(place) as scratch:
        (scratch / "slow").touch()
        fill(place, "quick")
    assert os.listdir(place) == ["quick"]
    assert os.listdir(tmp_path) == ["folder"]


def test_an_error_leaves_the_folder_before(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    fill(place, "before")

    def fail_halfway() -> None:
        with written_folder(place) as scratch:
            (scratch / "half").touch()
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail_halfway()
    assert os.listdir(place) == ["before"]
    assert os.listdir(tmp_path) == ["folder"]


def test_a_file_in_the_place_of_a_folder_is_kept(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError), written_folder(tmp_path / "name"):
        (tmp_path / "name").touch()
    assert os.listdir(tmp_path) == ["name"]


def test_lines_are_written(tmp_path: Path) -> None:
    write_lines(iter(["née", ""]), tmp_path / "lines.txt")
    assert (tmp_path / "lines.txt").read_text(encoding="utf-8") == "née\n\n"
    with pytest.raises(SpinnError, match="it cannot be written"):
        write_lines([], tmp_path / "absent" / "lines.txt")


KILLED = """
import os, sys
from pathlib import Path
from spinn.support.files import written_folder, written_whole
with written_whole(Path(sys.argv[1], "file")) as file, written_folder(Path(sys.argv[1], "f")) as f:
    file.touch(), (f / "part").touch()
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 2
    (tmp_path / "mine.part").touch()
    with written_whole(tmp_path / "text") as scratch:
        scratch.touch()
        write_whole(tmp_path / "other", "this process lives, and its file is kept")
    assert sorted(os.listdir(tmp_path)) == ["mine.part", "other", "text"]


def test_a_folder_that_can_be_made_is_not_left(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []
    (tmp_path / "a").touch()
    for place in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(SpinnError, match="it cannot be written"):
            require_writable(place)


def test_json_has_no_number_that_is_not_finite() -> None:
    content = {"dev": [{"loss": 0.5}], "test": {"also": [1, float("nan")]}}
    with pytest.raises(SpinnError, match=r"^test\.also\.1 is nan: the model has diverged"):
        as_json(content)
    content["test"] = {}
    assert json.loads(as_json(content)) == content
    assert as_json({"a": "née"}, ensure_ascii=False) == '{"a": "née"}'
    lines = {"a": "next\x85line\u2028paragraph\u2029end"}
    assert len(as_json(lines, ensure_ascii=False).splitlines()) == 1
    assert json.loads(as_json(lines, ensure_ascii=False)) == lines


def test_all_json_is_written_by_one_function() -> None:
    package = Path(spinn.__file__).parent
    allowed = {"support/files.py", "config_files.py", "data/cache.py", "data/jsonlines.py"}
    allowed |= {"data/corpus.py", "generators/writing.py", "generators/sample/corpus.py"}
    for file in package.rglob("*.py"):
        if str(file.relative_to(package)) not in allowed:
            assert "json.dump" not in file.read_text(encoding="utf-8"), file


def test_the_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    for name, target in (("link", "file"), ("loose", "new")):
        (tmp_path / name).symlink_to(target)
        write_whole(tmp_path / name, "after")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target).read_text() == "after"


def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    with written_folder(tmp_path / "link") as scratch:
        (scratch / "file").write_text("")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").is_file()


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    write_whole(pipe, "text")
    assert reader.communicate()[0] == "text"
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/null", "/dev/fd/1"])
def test_streams_are_never_replaced(name: str) -> None:
    with written_whole(Path(name)) as place:
        assert place == Path(name)
