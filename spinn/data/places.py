"""Where data are: the data folder with corpora, vectors and the cache, and the bundled corpus.

The package can be run from a clone of the repository, whose ``data`` folder is used, or be
installed without one. Nothing is ever written beside an installed package.
"""

from __future__ import annotations

from pathlib import Path

from spinn.data.options import CorpusOptions

_PACKAGE = Path(__file__).parents[1]


def data_directory(options: CorpusOptions) -> Path:
    """Return the data folder.

    It is the given one. By default, it is ``data`` in the current folder if that exists, else that
    of the clone, else the user's cache folder.
    """
    given = Path(options.data_directory)
    if given.is_dir() or options.data_directory != CorpusOptions().data_directory:
        return given
    clone = _clone()
    if clone is not None:
        return clone / "data"
    import platformdirs  # here, since training from a prepared corpus does without it

    return platformdirs.user_cache_path("spinn", appauthor=False)


def bundled_corpus() -> Path:
    """Return the folder of the bundled corpus, which an installed package contains."""
    clone = _clone()
    return _PACKAGE / "bundled" if clone is None else clone / "data" / "sample"


def _clone() -> Path | None:
    """Return the clone of the repository that the package is in; ``None`` if it is installed."""
    folder = _PACKAGE.parent
    return folder if (folder / "data" / "sample" / "train.jsonl").is_file() else None
