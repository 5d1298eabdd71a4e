"""The options of a corpus: what to read, which words to know, and their vectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spinn.data.formats import FORMAT_NAMES, Naming
from spinn.data.formats.columns import read_naming
from spinn.support.errors import ConfigurationError
from spinn.support.options import Condition, Group, option

SPLITS = ("train", "dev", "test")
DATA_FILES = ("data", *SPLITS, "also", "data_directory", "cache")  # options of where data are
NAMES = ("snli", "multinli", "sample")  # values of --data that are not folders


def prepared_corpus(data: str | None) -> Path | None:
    """Return the folder that ``--data`` names if it contains a prepared corpus."""
    folder = Path(data) if data and data not in NAMES else None
    return folder if folder is not None and (folder / "corpus.json").is_file() else None


_FROM_TEXTS = Condition(
    lambda values: prepared_corpus(values["data"]) is None,
    "the corpus is prepared already: give it to `spinn prepare`",
)


@dataclass(frozen=True)
class CorpusOptions:
    """What to read, and which words to know."""

    data: str | None = option(
        None, "snli, multinli, sample, or a folder (default: SNLI if it is on disk, else sample)"
    )
    train: list[str] = option([], "training files, instead of --data", when=_FROM_TEXTS)
    dev: list[str] = option([], "development files", when=_FROM_TEXTS)
    test: list[str] = option([], "test files", when=_FROM_TEXTS)
    also: list[str] = option([], "further test sets, each with its own name", when=_FROM_TEXTS)
    format: str = option("auto", "format of the files", choices=FORMAT_NAMES, when=_FROM_TEXTS)
    columns: str | None = option(
        None,
        "names of the columns, if they are not the usual ones: "
        "premise=NAME,hypothesis=NAME,label=NAME,id=NAME",
        when=_FROM_TEXTS,
    )
    label_names: str | None = option(
        None,
        "names of the labels 0, 1, 2, ... in order, such as entailment,neutral,contradiction",
        when=_FROM_TEXTS,
    )
    data_directory: str = option(
        "data",
        "folder of corpora, vectors and the cache; if there is no data here, that of the clone, or "
        "the user's cache folder",
    )
    cache: bool = option(True, "keep the numericalised corpus on disk")
    lower: bool = option(True, "lower-case all words", when=_FROM_TEXTS)
    minimum_count: int | None = option(
        None,
        "minimum number of occurrences in training of words without a vector; others are unknown "
        "(default: 2; for ListOps 1)",
        minimum=1,
        when=_FROM_TEXTS,
    )

    @property
    def prepared(self) -> Path | None:
        """The prepared corpus that ``data`` names, if it is one."""
        return prepared_corpus(self.data)

    def moved(self, place: Mapping[str, Any]) -> CorpusOptions:
        """Return the options of the same data in another place, by some of :data:`DATA_FILES`."""
        given = {name: value for name, value in place.items() if name in DATA_FILES}
        if "data" in given:
            given = {"train": [], "dev": [], "test": []} | given
        elif set(SPLITS) & set(given):
            given["data"] = None
        return replace(self, **given)

    @property
    def naming(self) -> Naming:
        """The names of columns and numbered labels; raise :class:`ConfigurationError` if wrong."""
        return read_naming(self.columns, self.label_names)

    @property
    def further(self) -> dict[str, list[Path]]:
        """The files of the further test sets, by name.

        Raises
        ------
        ConfigurationError
            If an item is not of the form ``NAME=FILE``, or its name is that of another set.

        """
        found: dict[str, list[Path]] = {}
        for item in self.also:
            name, _, file = item.partition("=")
            if not re.fullmatch(r"[\w.-]+", name) or name in SPLITS or not file:
                raise ConfigurationError(
                    f"--also {item} does not name a further test set; write --also NAME=FILE, "
                    "with a name that is not train, dev or test."
                )
            found.setdefault(name, []).append(Path(file))
        return found


@dataclass(frozen=True)
class VectorOptions:
    """Pretrained word vectors."""

    vectors: str | None = option(
        None,
        "GloVe by name (glove.840B.300d, glove.6B.100d, ...) or a file, plain or compressed",
        when=_FROM_TEXTS,
    )


DATA_GROUP = Group("data", CorpusOptions)
VECTORS_GROUP = Group(
    "vectors",
    VectorOptions,
    Condition(lambda values: values["vectors"] is not None, "it belongs to --vectors"),
)
