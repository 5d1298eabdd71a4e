"""Published corpora and word vectors: finding them on disk, downloading and unpacking them.

Archives are unpacked into folders of the data folder: ``data/snli``, ``data/multinli``,
``data/glove``. :func:`ensure` uses existing files, an archive placed there by hand, or a download,
in this order. Downloads are written to ``NAME.part``, which an interrupted download resumes, and
renamed after verification; unpacked files are renamed when complete.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import logging
import os
import shutil
import ssl
import sys
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from filelock import FileLock
from tqdm import tqdm  # type: ignore[import-untyped]

from spinn.data.archives import ARCHIVES, Archive
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.hints import command
from spinn.support.text import did_you_mean

logger = logging.getLogger(__name__)

_TIMEOUT = 30.0  # seconds without data from the server
_CHUNK = 2**20  # bytes
_LARGE = 2**30  # unpacked bytes of a member that are accepted however small it is packed
_EXPANSION = 100  # unpacked bytes per packed byte; text has less than 20
_NETWORK_FAILURES = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError)  # raised by damaged archives


def corpus_files(name: str, data_directory: Path) -> dict[str, Path]:
    """Return the files of a corpus in ``data_directory / name``, downloading them if necessary.

    The keys are ``train``, ``dev`` and ``test``. The test labels of MultiNLI are not public: its
    matched development set is ``dev`` and its mismatched one ``test``.

    Raises
    ------
    SpinnError
        If they cannot be obtained; the message says how to do so by hand.

    """
    files = ensure(name, Path(data_directory) / name)
    return dict(zip(("train", "dev", "test"), files, strict=True))


def vector_file(name: str, data_directory: Path) -> Path:
    """Return the file of word vectors in ``data_directory / "glove"``, downloaded if necessary.

    The name is that of a file in an archive of GloVe; ``glove.6B`` means ``glove.6B.300d``.

    Raises
    ------
    ConfigurationError
        If there are no such vectors.
    SpinnError
        If the file cannot be obtained; the message says how to do so by hand.

    """
    directory = Path(data_directory) / "glove"
    sets = {
        member.removesuffix(".txt"): (archive.name, member)
        for archive in ARCHIVES.values()
        if archive.name.startswith("glove.")
        for member in archive.members
    }
    full_name = "glove.6B.300d" if name == "glove.6B" else name
    if full_name not in sets:
        raise ConfigurationError(
            f"There are no vectors named {name!r}. Choose one of: {', '.join(sets)}."
        )
    archive_name, member = sets[full_name]
    found = _find(directory, member)
    if found is not None:
        return found
    files = ensure(archive_name, directory)
    return files[ARCHIVES[archive_name].members.index(member)]


def ensure(name: str, directory: Path, *, download: bool = True) -> list[Path]:
    """Return the files of an archive, unpacking or downloading it if necessary.

    Existing files are used, plain or ``.gz``, in the folder itself or in the archive's subfolder.
    An existing archive is unpacked and kept; a downloaded one is deleted after unpacking, or if it
    is damaged.

    Raises
    ------
    ConfigurationError
        If there is no such archive.
    SpinnError
        If the files cannot be obtained. Existing files are unchanged.

    """
    if name not in ARCHIVES:
        raise ConfigurationError(
            f"There is no download named {name!r}{did_you_mean(name, ARCHIVES)}. Choose one of: "
            f"{', '.join(ARCHIVES)}."
        )
    archive, directory = ARCHIVES[name], Path(directory)
    missing = _missing(archive, directory)
    if missing:
        if not download and not (directory / archive.filename).exists():
            raise SpinnError(
                f"{directory} has no {_last_name(missing[0])}. "
                f"Run `{command('download', name)}`, or {_by_hand(archive, directory)}"
            )
        with _clear_errors(archive, directory):
            directory.mkdir(parents=True, exist_ok=True)
            # Only one of several processes downloads; the others wait.
            with FileLock(directory / ".lock"):
                _get(archive, directory, _missing(archive, directory))
    found = [_find(directory, member) for member in archive.members]
    return [path for path in found if path is not None]


def _missing(archive: Archive, directory: Path) -> list[str]:
    return [member for member in archive.members if _find(directory, member) is None]


def _get(archive: Archive, directory: Path, missing: list[str]) -> None:
    """Unpack missing members from the archive, after downloading it if necessary."""
    if not missing:
        return
    zip_path = directory / archive.filename
    is_ours = not zip_path.exists()
    if is_ours:
        _download(archive, zip_path)
    else:
        _verify(archive, zip_path)
    try:
        _unpack(zip_path, missing, directory)
    except _DAMAGE:
        if is_ours:
            zip_path.unlink()
        raise
    if is_ours:
        zip_path.unlink()


def _last_name(member: str) -> str:
    return PurePosixPath(member).name


def _find(directory: Path, member: str) -> Path | None:
    for place in (_last_name(member), member):
        for path in (directory / place, directory / f"{place}.gz"):
            if path.is_file():
                return path
    return None


def _by_hand(archive: Archive, directory: Path) -> str:
    return f"get {archive.url} by other means and put it into {directory} as it is."


@contextlib.contextmanager
def _clear_errors(archive: Archive, directory: Path) -> Iterator[None]:
    """Convert errors of network, disk and archive into a :class:`SpinnError` with a remedy."""
    by_hand = _by_hand(archive, directory)
    try:
        yield
    except urllib.error.HTTPError as error:
        raise SpinnError(
            f"{archive.url} was refused: {error.code} {error.reason}. Try again later, or {by_hand}"
        ) from error
    except _NETWORK_FAILURES as error:
        reason = getattr(error, "reason", None) or error
        raise SpinnError(
            f"{archive.url} could not be downloaded: {reason}. "
            f"Check the network and run again, or {by_hand}"
        ) from error
    except _DAMAGE as error:
        raise SpinnError(
            f"{directory / archive.filename} is damaged: {error}. "
            "Delete it if it is still there, and download it again."
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "Free some space" if full else "Check the folder and its permissions"
        raise SpinnError(
            f"{error.filename or directory}: {error.strerror or error}. {remedy} and run again."
        ) from error


# Download.


def _download(archive: Archive, target: Path) -> None:
    """Download to ``target.part``, verify, and rename.

    A partial file is kept and resumed; one that fails verification is deleted.
    """
    part = target.with_name(target.name + ".part")
    if part.is_symlink():
        part.unlink()  # its target is not ours to write to
    if archive.size is None or not part.exists() or part.stat().st_size != archive.size:
        try:
            _fetch(archive, part)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                part.unlink(missing_ok=True)
            raise
    try:
        _verify(archive, part)
    except SpinnError:
        part.unlink()
        raise
    os.replace(part, target)


def _fetch(archive: Archive, part: Path) -> None:
    """Download to ``part``; append to it if the server can resume."""
    present = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "spinn"}
    if present:
        headers["Range"] = f"bytes={present}-"
    request = urllib.request.Request(archive.url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not present:
            raise
        part.unlink()  # the file on the server has changed
        return _fetch(archive, part)
    with response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT
        present = present if resumed else 0
        length = response.headers.get("Content-Length")
        total = present + int(length) if length is not None else archive.size
        with open(part, "ab" if resumed else "wb") as file, _Progress(part, present, total) as bar:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
                present += len(chunk)
                if archive.size is not None and present > archive.size:
                    return  # verification fails
    if total is not None and present < total:
        raise ConnectionError(f"the connection ended after {present:,} of {total:,} bytes")


def _verify(archive: Archive, path: Path) -> None:
    """Raise :class:`SpinnError` if size or checksum differ from the published ones."""
    problem = None
    if archive.size is not None and path.stat().st_size != archive.size:
        problem = f"it has {path.stat().st_size:,} bytes where {archive.size:,} are expected"
    for algorithm, expected in (("sha256", archive.sha256), ("md5", archive.md5)):
        if problem is None and expected is not None and _checksum(path, algorithm) != expected:
            problem = f"its {algorithm} checksum is not the published one"
    if problem is not None:
        raise SpinnError(
            f"{path} is not the published {archive.filename}: {problem}. "
            f"Download it again; if that does not help, {archive.url} may have changed."
        )


def _checksum(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class _Progress:
    """A progress bar on terminals, and a line for every 10% elsewhere."""

    def __init__(self, part: Path, present: int, total: int | None) -> None:
        self._name, self._present, self._total = part.stem, present, total
        self._tenths = 10 * present // total if total else 0
        look = {"unit": "B", "unit_scale": True, "disable": not sys.stderr.isatty()}
        self._bar = tqdm(desc=self._name, initial=present, total=total, **look)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, count: int) -> None:
        """Add downloaded bytes."""
        self._present += count
        self._bar.update(count)
        if self._bar.disable and self._total and 10 * self._present // self._total > self._tenths:
            self._tenths = 10 * self._present // self._total
            done, total = self._present / 1e6, self._total / 1e6
            logger.info(f"{self._name}: {done:,.1f} of {total:,.1f} MB")


# Unpacking.


def _unpack(zip_path: Path, members: list[str], directory: Path) -> None:
    """Unpack the members into the folder.

    Only the last part of each name is used, so no name can lead out of the folder. ``zipfile``
    verifies the CRC-32 of a member while it is read, before the file is renamed.
    """
    with zipfile.ZipFile(zip_path) as archive:
        for member in members:
            target = directory / _last_name(member)
            part = target.with_name(target.name + ".part")
            try:
                part.unlink(missing_ok=True)
                # "x" does not follow a link that was put here.
                with _open_member(archive, member) as source, open(part, "xb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
                os.replace(part, target)
            finally:
                part.unlink(missing_ok=True)


def _open_member(archive: zipfile.ZipFile, member: str) -> zipfile.ZipExtFile:
    try:
        size, packed = archive.getinfo(member).file_size, archive.getinfo(member).compress_size
        if size > max(_LARGE, _EXPANSION * packed):
            raise zipfile.BadZipFile(f"{member} expands from {packed:,} to {size:,} bytes")
        opened = archive.open(member)
    except KeyError as error:
        raise zipfile.BadZipFile(f"it does not contain {member}") from error
    except RuntimeError as error:  # encrypted, or an unsupported compression
        raise zipfile.BadZipFile(f"{member} cannot be read ({error})") from error
    assert isinstance(opened, zipfile.ZipExtFile)
    return opened
