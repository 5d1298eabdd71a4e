"""A corpus: training, development and test sets in the numbers of one vocabulary.

This is the door of the data side. Given the options, it finds the files, reads and numericalises
them once, chooses the vocabulary, gathers the word vectors, and keeps the result in a cache whose
key covers everything that could change it. A prepared corpus is a folder of two files and can be
used in place of the texts, on a machine without the text tools.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from spinn.data import download, readers
from spinn.data.dataset import DatasetBuilder, PairDataset
from spinn.data.examples import UNITS, Example
from spinn.data.induction import induced_vectors
from spinn.data.vocabulary import VectorTable, Vocabulary, WordVectors, choose_words
from spinn.errors import ConfigurationError, DataError, SpinnError
from spinn.files import written_folder
from spinn.options import option

SPLITS = ("train", "dev", "test")
NAMES = ("snli", "multinli", "sample")  # what --data takes beside folders
CACHE_VERSION = 2
_PATTERNS = {
    "train": ("*train*",),
    "dev": ("*dev*", "*trial*", "*valid*"),
    "test": ("*test*",),
}
_ENDINGS = (".jsonl", ".tsv", ".txt", ".json")


@dataclass(frozen=True)
class CorpusOptions:
    """What to read, and which words to know."""

    data: str | None = option(
        None, "snli, multinli, sample, or a folder (default: SNLI if it is on disk, else sample)"
    )
    train: list[str] = option([], "training files, instead of --data", needs="texts")
    dev: list[str] = option([], "development files", needs="texts")
    test: list[str] = option([], "test files", needs="texts")
    also: list[str] = option([], "further test sets, each with a name of its own", needs="texts")
    format: str = option(
        "auto", "format of the files", choices=("auto", *readers.READERS), needs="texts"
    )
    data_directory: str = option("data", "where corpora, vectors and the cache are kept")
    cache: bool = option(True, "keep the numericalised corpus on disk")
    lower: bool = option(True, "lower-case all words", needs="texts")
    minimum_count: int | None = option(
        None,
        "how often a word without a vector must occur in training to be known "
        "(default: 2; for ListOps 1)",
        minimum=1,
        needs="texts",
    )
    vectors: str | None = option(
        None,
        "GloVe by name (glove.840B.300d, glove.6B.100d, ...) or a file, plain or .gz",
        needs="texts",
    )
    induce_vectors: bool = option(
        False,
        "give words without a pretrained vector one that is induced from the words around them in "
        "training and from their spelling, in place of a random one",
        needs="vector file",
    )

    @property
    def prepared(self) -> Path | None:
        """The prepared corpus that is asked for, if it is one."""
        folder = Path(self.data) if self.data and self.data not in NAMES else None
        return folder if folder is not None and (folder / "corpus.json").is_file() else None

    @property
    def further(self) -> dict[str, list[Path]]:
        """The files of the further test sets, by name.

        Raises
        ------
        ConfigurationError
            If one is not written ``NAME=FILE``, or its name is that of another set.

        """
        found: dict[str, list[Path]] = {}
        for item in self.also:
            name, _, file = item.partition("=")
            if not re.fullmatch(r"[\w.-]+", name) or name in SPLITS or not file:
                raise ConfigurationError(
                    f"--also {item} is no further test set; write --also NAME=FILE, "
                    "with a name that is not train, dev or test."
                )
            found.setdefault(name, []).append(Path(file))
        return found


@dataclass(frozen=True)
class Corpus:
    """Numericalised sets and what their numbers mean.

    Attributes
    ----------
    vocabulary
        The words.
    vectors
        Pretrained vectors of the words, and induced ones, if any were asked for.
    labels
        The labels, by number.
    sets
        ``train``, ``dev`` and, if there are any, ``test`` and the further test sets.
    unparsed
        For each set, ``[file, line]`` of the first example without its trees, or ``None``.
    notes
        Lines to tell the person, such as counts and coverage.

    """

    vocabulary: Vocabulary
    vectors: WordVectors | None
    labels: tuple[str, ...]
    sets: dict[str, PairDataset]
    unparsed: dict[str, list[Any] | None]
    notes: list[str] = field(default_factory=list)
    format: str = "auto"

    @property
    def sides(self) -> int:
        """How many sentences an example has, in all sets alike: 2, or 1."""
        return next(iter(self.sets.values())).sides

    def require_parses(self, split: str) -> None:
        """Raise :class:`DataError` at the first example of a set that lacks a tree."""
        place = self.unparsed[split]
        if place is not None and not self.sets[split].parsed.all():
            raise readers.no_parse(place[0], place[1])

    def save(self, directory: Path) -> None:
        """Write the corpus to a folder, whole or not at all."""
        tensors = {
            f"{split}.{name}": torch.from_numpy(getattr(data, name))
            for split, data in self.sets.items()
            for name in ("words", "offsets", "transitions", "labels")
        }
        if self.vectors is not None:
            tensors |= {"vectors": self.vectors.vectors, "known": self.vectors.known}
        description = {
            "version": CACHE_VERSION,
            "vocabulary": vocabulary_as_dict(self.vocabulary),
            "labels": list(self.labels),
            "sides": self.sides,
            "sets": list(self.sets),
            "unparsed": self.unparsed,
            "notes": self.notes,
            "format": self.format,
        }
        with written_folder(directory) as scratch:
            whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
            save_file(whole, scratch / "corpus.safetensors")
            (scratch / "corpus.json").write_text(json.dumps(description), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Corpus:
        """Read a prepared corpus.

        Raises
        ------
        DataError
            If the folder holds none, or one of another version.

        """
        remedy = "Delete the folder and prepare the corpus again"
        try:
            description = json.loads((directory / "corpus.json").read_text(encoding="utf-8"))
            tensors = load_file(directory / "corpus.safetensors")
            if description["version"] != CACHE_VERSION:
                raise DataError(directory, "it was prepared by another version", remedy=remedy)
            sides = description.get("sides", 2)  # older ones do not say it: all hold pairs
            sets = {
                split: PairDataset(
                    **{
                        name: tensors[f"{split}.{name}"].numpy()
                        for name in ("words", "offsets", "transitions", "labels")
                    },
                    sides=sides,
                )
                for split in description["sets"]
            }
            vectors = (
                WordVectors(tensors["vectors"], tensors["known"]) if "known" in tensors else None
            )
            return cls(
                Vocabulary(**description["vocabulary"]),
                vectors,
                tuple(description["labels"]),
                sets,
                description["unparsed"],
                description["notes"],
                description.get("format", "auto"),  # older ones do not say it
            )
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise DataError(
                directory, f"it is no prepared corpus ({error})", remedy=remedy
            ) from error


def vocabulary_as_dict(vocabulary: Vocabulary) -> dict[str, Any]:
    """Describe a vocabulary for JSON; ``Vocabulary(**description)`` brings it back."""
    return {"words": vocabulary.words, "lower": vocabulary.lower}


def load_corpus(options: CorpusOptions, say: Callable[[str], None] = lambda line: None) -> Corpus:
    """Find, read and numericalise the corpus that the options ask for, or take it from the cache.

    Parameters
    ----------
    options
        What to read.
    say
        Called with lines that tell the person what is going on.

    """
    if options.prepared is not None:
        say(f"Prepared corpus: {options.prepared}")
        return _told(Corpus.load(options.prepared), say)
    directory = data_directory(options)
    files = find_files(options, directory, say)
    vector_file = _vector_file(options.vectors, directory)
    place = directory / "cache" / _cache_key(options, files, vector_file)
    if options.cache and (place / "corpus.json").is_file():
        try:
            # What the cache was made of includes the format, though it may be older than its name.
            return _told(replace(Corpus.load(place), format=options.format), say)
        except DataError:
            say(f"The cache at {place} cannot be read; preparing the corpus again.")
    corpus = _prepare(options, files, vector_file, directory / "cache" / "vectors", say)
    if options.cache:
        try:
            corpus.save(place)
        except OSError as error:
            say(f"The prepared corpus could not be cached ({error}); going on without.")
    return _told(corpus, say)


def data_directory(options: CorpusOptions) -> Path:
    """Return the folder of corpora: as named, or beside the package where that is not there."""
    named = Path(options.data_directory)
    beside = Path(__file__).parents[2] / "data"
    return beside if not named.is_dir() and options.data_directory == "data" else named


def named(options: CorpusOptions, say: Callable[[str], None] = lambda line: None) -> CorpusOptions:
    """Name the corpus that is read where none is given.

    What is on disk may change, and with it the default; what a run was trained on may not.
    """
    if options.data is not None or options.train or options.dev or options.test:
        return options
    on_disk = _has_snli(data_directory(options))
    if not on_disk:
        say("SNLI is not on disk: using the bundled corpus data/sample (--data snli fetches SNLI).")
    return replace(options, data="snli" if on_disk else "sample")


def find_files(
    options: CorpusOptions, directory: Path, say: Callable[[str], None] = lambda line: None
) -> dict[str, list[Path]]:
    """List the files of each set.

    Raises
    ------
    SpinnError
        If there are none, or they cannot be downloaded.

    """
    explicit = {split: [Path(name) for name in getattr(options, split)] for split in SPLITS}
    if any(explicit.values()):
        if options.data is not None:
            raise ConfigurationError(
                "--data and --train/--dev/--test exclude each other; give one."
            )
        return {split: files for split, files in explicit.items() if files} | options.further
    name = named(options, say).data
    assert name is not None
    if name in ("snli", "multinli"):
        official = download.corpus_files(name, directory)
        return {split: [path] for split, path in official.items()} | options.further
    folder = directory / "sample" if name == "sample" else Path(name)
    if not folder.is_dir():
        raise SpinnError(
            f"{folder}: there is no such folder. Give --data snli, multinli, sample or a folder, "
            "or name the files with --train, --dev and --test."
        )
    return _files_in(folder) | options.further


def _has_snli(directory: Path) -> bool:
    try:
        download.ensure("snli", directory / "snli", download=False)
    except SpinnError:
        return False
    return True


def _files_in(folder: Path) -> dict[str, list[Path]]:
    """Tell the files of a folder apart by their names."""
    found: dict[str, list[Path]] = {}
    for split, patterns in _PATTERNS.items():
        matches = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
        data = [path for path in matches if path.name.removesuffix(".gz").endswith(_ENDINGS)]
        data += [path for path in matches if "." not in path.name.removesuffix(".gz")]
        if data:
            found[split] = sorted(set(data))
    if not found:
        raise SpinnError(
            f"{folder}: no file here has train, dev or test in its name. "
            "Name the files with --train, --dev and --test."
        )
    return found


def _vector_file(name: str | None, directory: Path) -> Path | None:
    """Find the vectors named by a path or by a published name (downloading those)."""
    if name is None:
        return None
    path = Path(name)
    if path.exists() or os.sep in name or path.suffix in (".txt", ".gz"):
        return path
    return download.vector_file(name, directory)


def _cache_key(options: CorpusOptions, files: dict[str, list[Path]], vectors: Path | None) -> str:
    """Digest everything that the prepared corpus depends on."""

    def stamp(path: Path) -> list[Any]:
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(path, "there is no such file", remedy="Check the path given") from error
        return [str(path.resolve()), status.st_size, status.st_mtime_ns]

    parts = {
        "version": CACHE_VERSION,
        "files": {split: [stamp(path) for path in paths] for split, paths in files.items()},
        "vectors": stamp(vectors) if vectors is not None else None,
        "options": [options.format, options.lower, options.minimum_count, options.induce_vectors],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def _prepare(
    options: CorpusOptions,
    files: dict[str, list[Path]],
    vector_file: Path | None,
    vector_cache: Path,
    say: Callable[[str], None],
) -> Corpus:
    """Read everything and put it into numbers."""
    if options.induce_vectors and "train" not in files:
        raise ConfigurationError(
            "--induce-vectors learns from a training set, and there is none; leave it out."
        )
    reader, labels = _kind(options, files)
    builders: dict[str, DatasetBuilder] = {}
    unparsed: dict[str, list[Any] | None] = {}
    notes: list[str] = []
    for split, paths in files.items():
        say(f"Reading {', '.join(str(path) for path in paths)}")
        builders[split] = DatasetBuilder(labels, lower=options.lower, sides=reader.sides)
        unparsed[split], note = _read(builders[split], paths, options.format, labels)
        notes.append(f"{split}: {note}")
    training = builders["train"].word_counts() if "train" in builders else Counter[str]()
    held_out = [
        word
        for split, builder in builders.items()
        if split != "train"
        for word in builder.word_counts()
    ]
    table = VectorTable(vector_file, vector_cache) if vector_file is not None else None
    minimum = reader.minimum_count if options.minimum_count is None else options.minimum_count
    vocabulary = Vocabulary(choose_words(training, held_out, table, minimum), options.lower)
    sets = {split: builder.build(vocabulary) for split, builder in builders.items()}
    if table is None:
        vectors = None
    elif options.induce_vectors:
        say("Inducing the vectors of words that have none")
        vectors = induced_vectors(vocabulary.words, table, sets["train"])
    else:
        vectors = table.of(vocabulary.words)
    notes.append(_vocabulary_note(vocabulary, vectors, sets))
    return Corpus(vocabulary, vectors, labels, sets, unparsed, notes, options.format)


def _read(
    builder: DatasetBuilder, paths: list[Path], format: str, labels: tuple[str, ...]
) -> tuple[list[Any] | None, str]:
    """Read the files of one split; return where the first example lacks a tree, and a note."""
    first: list[Any] | None = None
    counts = readers.ReadCounts()
    for path in paths:
        for example in readers.read_examples(path, format, labels=labels, counts=counts):
            builder.add(example)
            if first is None and not example.is_parsed:
                first = [str(path), example.line]
    note = f"{len(builder):,} {UNITS[builder.sides]}"
    if counts.unlabelled:
        note += f", {counts.unlabelled:,} without a gold label skipped"
    if counts.unparsed:
        note += f", {counts.unparsed:,} without a parse"
    return first, note


def _kind(
    options: CorpusOptions, files: dict[str, list[Path]]
) -> tuple[readers.Reader, tuple[str, ...]]:
    """Take the format of the first file, and its labels; the other files must be of its kind.

    The labels are those in the training files where the format has none of its own.
    """
    known: tuple[readers.Reader, tuple[str, ...]] | None = None
    for path in (path for paths in files.values() for path in paths):
        name = readers.detect_format(path) if options.format == "auto" else options.format
        reader = readers.READERS[name]
        if known is not None:
            readers.check_sides(path, reader, known[0].sides)
        own = reader.labels
        if own is None:  # it takes any; a label that is not among those known is refused as read
            if known is None:
                known = reader, _labels_in(files.get("train") or [path], options.format)
            continue
        if known is not None and set(own) != set(known[1]):
            raise DataError(
                path,
                f"its labels ({', '.join(own)}) are not those of the files before it",
                remedy="Give files of one kind",
            )
        known = known or (reader, own)
    if known is None:
        raise ConfigurationError("No files were given; name them with --train, --dev and --test.")
    return known


def _labels_in(paths: list[Path], format: str) -> tuple[str, ...]:
    found = {example.label for path in paths for example in readers.read_examples(path, format)}
    return tuple(sorted(label for label in found if label is not None))


def _vocabulary_note(
    vocabulary: Vocabulary, vectors: WordVectors | None, sets: dict[str, PairDataset]
) -> str:
    """Say how large the vocabulary is and how much of the text the vectors cover."""
    note = f"vocabulary: {len(vocabulary):,} words"
    if vectors is None:
        return note
    known = vectors.known.numpy()
    shares = ", ".join(
        f"{100 * known[data.words].mean():.1f}% of {split}" for split, data in sets.items()
    )
    return f"{note}, {int(known.sum()):,} with a vector, which cover {shares} words"


def _told(corpus: Corpus, say: Callable[[str], None]) -> Corpus:
    for note in corpus.notes:
        say(note)
    return corpus


def read_pairs(
    paths: list[Path],
    format: str,
    labels: tuple[str, ...],
    sides: int = 2,
    *,
    counts: readers.ReadCounts | None = None,
    unlabelled: bool = False,
) -> tuple[list[Example], list[Path]]:
    """Read the pairs of files whole, for evaluation, or (``sides`` being 1) their sentences.

    The parameters are those of :func:`spinn.data.readers.read_examples`.

    Returns
    -------
    examples, places
        The examples, and the file that each came from.

    Raises
    ------
    DataError
        If a file cannot be read, or does not hold what is wanted.

    """
    examples: list[Example] = []
    places: list[Path] = []
    for path in paths:
        examples += readers.read_examples(
            path, format, labels=labels, sides=sides, counts=counts, unlabelled=unlabelled
        )
        places += [path] * (len(examples) - len(places))
    return examples, places


def check_parses(examples: list[Example], places: list[Path]) -> None:
    """Raise :class:`DataError` at the first example that lacks a tree."""
    for example, path in zip(examples, places, strict=True):
        if not example.is_parsed:
            raise readers.no_parse(path, example.line)


def numericalise(
    examples: Iterable[Example], vocabulary: Vocabulary, labels: tuple[str, ...], sides: int = 2
) -> PairDataset:
    """Put examples of so many sentences into the numbers of a trained model's vocabulary."""
    builder = DatasetBuilder(labels, lower=vocabulary.lower, sides=sides)
    builder.extend(examples)
    return builder.build(vocabulary)
