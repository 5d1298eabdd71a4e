"""The cache of prepared corpora, keyed by everything a corpus depends on."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinn.data.corpus import DESCRIPTION, VERSION, Corpus
from spinn.data.lines import unreadable
from spinn.data.options import CorpusOptions
from spinn.data.spacy_parser import stamp_of
from spinn.support.errors import DataError, SpinnError
from spinn.support.files import require_writable

logger = logging.getLogger(__name__)
_NOT_CACHED = "The prepared corpus is not cached."

_READING = 3  # increased when the same files are read differently, so that older entries are unused


def cache_key(
    options: CorpusOptions,
    files: dict[str, list[Path]],
    vectors: Path | None,
    *,
    induced: bool,
    pipeline: str | None = None,
) -> str:
    """Return a digest of the options, and of the paths, sizes and times of all files.

    ``induced`` is true if a source completes the vectors; ``pipeline`` parses sentences without a
    tree, and its version or files are part of the key.
    """
    parts: dict[str, Any] = {
        "version": [VERSION, _READING],
        "files": {split: [_stamp(path) for path in paths] for split, paths in files.items()},
        "vectors": _stamp(vectors) if vectors is not None else None,
        "options": [options.format, options.lower, options.minimum_count, induced],
    }
    if options.columns is not None or options.label_names is not None:
        parts["naming"] = [options.columns, options.label_names]
    if pipeline is not None:
        parts["pipeline"] = stamp_of(pipeline)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def _stamp(path: Path) -> list[Any]:
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def load_cached(place: Path, options: CorpusOptions) -> Corpus | None:
    """Return the cached corpus in a folder; ``None`` if there is none or it is damaged."""
    try:
        if not (place / DESCRIPTION).is_file():
            return None
        # Older files lack the format; it is part of the key.
        return replace(Corpus.load(place), format=options.format)
    except (DataError, OSError):
        logger.warning(f"The cache at {place} cannot be read; preparing the corpus again.")
        return None


def can_be_cached(place: Path) -> bool:
    """Return whether a folder of the cache can be written; log a warning if it cannot."""
    try:
        require_writable(place.parent)
    except SpinnError as error:
        logger.warning(f"{error} {_NOT_CACHED}")
        return False
    return True


def save_cached(corpus: Corpus, place: Path) -> None:
    """Write a corpus to a folder of the cache, if it is writable."""
    try:
        corpus.save(place)
    except SpinnError as error:
        logger.warning(f"{error} {_NOT_CACHED}")
