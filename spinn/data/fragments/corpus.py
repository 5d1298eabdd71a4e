"""The trees of a language model over fragments: which files, how they are split, their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spinn.data.fragments.dataset import FragmentDataset, number_sequences
from spinn.data.fragments.sources import Sequences, is_python, read_sequences, split_sequences
from spinn.data.fragments.vocabulary import FragmentVocabulary, build_fragment_vocabulary
from spinn.data.lines import READ_AGAIN, refuse_pipes
from spinn.support.errors import ConfigurationError
from spinn.support.options import Condition, Group, option

FRAGMENT = "fragment"
SPLITS = ("train", "dev", "test")  # also the options of where the files are


@dataclass(frozen=True)
class FragmentDataOptions:
    """Which trees to read, and which of their fragments are known."""

    unit: str = option(FRAGMENT, "what the model predicts", choices=(FRAGMENT,))
    train: list[str] = option([], "files of trees or programs for training")
    dev: list[str] = option([], "files of trees or programs for development")
    test: list[str] = option([], "files of trees or programs for the test")
    split_seed: int = option(
        1,
        "seed of the tenths of train that are dev and test where these are not given",
        minimum=0,
        when=Condition(lambda values: not values["dev"], "it belongs to --train without --dev"),
    )
    repeats: bool = option(False, "read a premise that occurs again, too")
    max_fragments: int = option(1000, "trees of more fragments are left out of training", minimum=1)
    minimum_count: int = option(
        10, "minimum number of occurrences in training of a fragment; others are unknown", minimum=1
    )

    def __post_init__(self) -> None:
        if not self.train:
            raise ConfigurationError("Name the trees for training: --train FILES.")

    def paths(self, *splits: str) -> list[Path]:
        """Return the files of sets."""
        return [Path(name) for split in splits for name in getattr(self, split)]

    def read(self, split: str) -> Sequences:
        """Return the trees of the files of a set."""
        paths = self.paths(split)
        refuse_pipes(paths, READ_AGAIN)
        return read_sequences(paths, repeats=self.repeats)

    def moved(self, place: Mapping[str, Any]) -> FragmentDataOptions:
        """Return the options of the same trees in other files."""
        return replace(self, **{name: place[name] for name in SPLITS if name in place})


FRAGMENT_DATA_GROUP = Group("data", FragmentDataOptions)


@dataclass(frozen=True)
class FragmentCorpus:
    """Sets of trees as numbers.

    Attributes
    ----------
    vocabulary
        That of the training set.
    sets
        ``train``, ``dev`` and, if there are further trees, ``test``.
    notes
        Messages for the user.

    """

    vocabulary: FragmentVocabulary
    sets: dict[str, FragmentDataset]
    notes: list[str]


def load_fragments(
    options: FragmentDataOptions, vocabulary: FragmentVocabulary | None = None
) -> FragmentCorpus:
    """Read the trees.

    Without files for development, a random tenth of the training trees is ``dev``. If there are
    none for the test either, another tenth is ``test``: results on a set that chose the model would
    be too good.

    Parameters
    ----------
    options
        What to read.
    vocabulary
        That of a model; by default, it is taken from the training set.

    Raises
    ------
    SpinnError
        If a file cannot be read or has no trees, or trees of sentences and programs are mixed.

    """
    python = is_python(options.paths(*SPLITS))
    parts = {split: options.read(split) for split in SPLITS if getattr(options, split)}
    if "dev" not in parts:
        seed = options.split_seed
        parts["train"], parts["dev"] = split_sequences(parts["train"], seed, 0.1)
        if "test" not in parts:  # a ninth of nine tenths
            parts["train"], parts["test"] = split_sequences(parts["train"], seed, 1 / 9)
    short = [one for one in parts["train"] if len(one) <= options.max_fragments]
    if not short:
        raise ConfigurationError(
            f"--max-fragments {options.max_fragments} leaves nothing to train on; give more."
        )
    notes = []
    if len(short) < len(parts["train"]):
        left_out = len(parts["train"]) - len(short)
        notes.append(
            f"train: left out {left_out:,} trees of more than {options.max_fragments} fragments"
        )
    parts["train"] = short
    if vocabulary is None:
        vocabulary = build_fragment_vocabulary(short, options.minimum_count, lowercase=not python)
    sets = {split: number_sequences(part, vocabulary) for split, part in parts.items()}
    notes += [describe(split, dataset, vocabulary) for split, dataset in sets.items()]
    notes.append(f"vocabulary: {len(vocabulary):,} fragments of {len(vocabulary.types)} types")
    return FragmentCorpus(vocabulary, sets, notes)


def describe(split: str, dataset: FragmentDataset, vocabulary: FragmentVocabulary) -> str:
    """Return a message on the size of a set."""
    return (
        f"{split}: {len(dataset):,} trees, {len(dataset.fragments):,} fragments, "
        f"{unknown_share(dataset, vocabulary):.2f}% unknown"
    )


def unknown_share(dataset: FragmentDataset, vocabulary: FragmentVocabulary) -> float:
    """Return how many of 100 fragments are unknown; one of an unknown type costs nothing."""
    return float(100 * np.isin(dataset.fragments, vocabulary.starts).mean())
