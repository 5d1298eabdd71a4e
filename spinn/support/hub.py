"""Folders on the Hugging Face Hub, by the optional package ``huggingface_hub``.

That package keeps what it downloads in its cache (``HF_HOME``) and uses it without a network
(``HF_HUB_OFFLINE=1``). It reads a token from ``HF_TOKEN`` or from ``hf auth login``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from spinn.support.errors import SpinnError
from spinn.support.extras import import_extra

_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_LOG_IN = "for a private one, log in with: hf auth login"


def is_repository(path: Path) -> bool:
    """Return whether this is the name of a repository, ``USER/NAME``, and not a path.

    A path in an existing folder is taken for mistyped, so its name is not sent to the Hub.
    """
    return _REPOSITORY.fullmatch(path.as_posix()) is not None and not path.parent.exists()


def _package(use: str) -> tuple[Any, Any]:
    """Return the package and its errors; see :func:`spinn.support.extras.import_extra`."""
    package = import_extra("huggingface_hub", "hub", use)
    return package, import_module("huggingface_hub.errors")


def download(
    repository: str, required: Sequence[str], others: Sequence[str], revision: str | None = None
) -> Path:
    """Return a folder with files of a repository, downloaded unless the cache has them.

    Parameters
    ----------
    repository
        ``USER/NAME``.
    required, others
        The files; the repository must have those required.
    revision
        A branch, a tag or a commit; by default ``main``.

    Raises
    ------
    SpinnError
        If the package is not installed, or the files cannot be found or reached.

    """
    missing = f"{repository}: there is no such folder here"
    hub, errors = _package(f"{missing}; loading it from the Hugging Face Hub")
    try:
        patterns = [*required, *others]
        folder = Path(hub.snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except errors.RevisionNotFoundError as error:
        raise SpinnError(f"{repository}: it has no revision {revision!r}.") from error
    except errors.GatedRepoError as error:
        raise SpinnError(
            f"{repository}: access to it is restricted. Ask for access on its page, and log in "
            "with: hf auth login."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise SpinnError(
            f"{missing}, and no such model on the Hugging Face Hub. Check the name; {_LOG_IN}."
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise SpinnError(
            f"{missing}, and the Hugging Face Hub cannot be reached. Check the name, the "
            "connection, and HF_HUB_OFFLINE."
        ) from error
    except (OSError, ValueError, errors.HTTPError) as error:
        raise SpinnError(f"{missing}, and it cannot be downloaded ({error}).") from error
    for name in required:
        if not (folder / name).is_file():
            raise SpinnError(f"{repository}: it has no {name}, so it is no model of this package.")
    return folder


def upload(
    folder: Path,
    repository: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    **options: Any,
) -> str:
    """Upload a folder to a repository, which is created unless it exists.

    Parameters
    ----------
    folder
        The folder.
    repository
        ``USER/NAME``, or ``NAME`` for the user of the token.
    private
        Whether a new repository is private; by default, what the user's settings say.
    token
        The token, by default that which the package finds.
    options
        Further arguments of ``HfApi.upload_folder``: ``commit_message``, ``revision``,
        ``create_pr``.

    Returns
    -------
    The address of the commit.

    Raises
    ------
    SpinnError
        If the package is not installed, or the folder cannot be uploaded.

    """
    hub, errors = _package("Uploading a model to the Hugging Face Hub")
    try:
        api = hub.HfApi(token=token)
        name = api.create_repo(repository, private=private, exist_ok=True).repo_id
        return str(api.upload_folder(repo_id=name, folder_path=folder, **options))
    except (OSError, ValueError, errors.HTTPError) as error:
        raise SpinnError(
            f"{repository}: it cannot be uploaded ({error}). Check the name and the connection, "
            "and log in with: hf auth login."
        ) from error
