"""Loading a corpus: from the cache, from a prepared folder, or by reading its files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinn.data import readers
from spinn.data.cache import cache_key, can_be_cached, load_cached, save_cached
from spinn.data.corpus import Corpus
from spinn.data.dataset import DatasetBuilder, PairDataset
from spinn.data.examples import Example, kind_with
from spinn.data.find import find_files, find_vectors, named
from spinn.data.formats import FORMATS, Format, detect_format
from spinn.data.labels import check_labels, read_label, standard_labels, unlisted_label
from spinn.data.lines import NEEDS_EXAMPLES, refuse_pipes
from spinn.data.options import CorpusOptions, VectorOptions
from spinn.data.places import data_directory
from spinn.data.spacy_parser import SpacyParser
from spinn.data.transforms import VectorSourceOptions
from spinn.data.vectors import VectorTable, WordVectors
from spinn.data.vocabulary import Vocabulary, choose_words
from spinn.support.errors import ConfigurationError, DataError
from spinn.support.text import printable

logger = logging.getLogger(__name__)


def load_corpus(
    options: CorpusOptions,
    vectors: VectorOptions | None = None,
    source: VectorSourceOptions | None = None,
    parser: SpacyParser | None = None,
) -> Corpus:
    """Return the requested corpus, from the cache if possible.

    Parameters
    ----------
    options
        What to read.
    vectors
        Pretrained vectors, if any.
    source
        Source of vectors for words without a pretrained one, if any.
    parser
        Parser for sentences without a tree, if any.

    Raises
    ------
    SpinnError
        If files are missing or cannot be read.

    """
    corpus = _load(options, vectors, source, parser)
    for note in corpus.notes:
        logger.info(note)
    return corpus


def _load(
    options: CorpusOptions,
    vectors: VectorOptions | None,
    source: VectorSourceOptions | None,
    parser: SpacyParser | None,
) -> Corpus:
    if options.prepared is not None:
        logger.info(f"Prepared corpus: {options.prepared}")
        corpus = Corpus.load(options.prepared)
        if parser is not None and not all(data.parsed.all() for data in corpus.sets.values()):
            raise ConfigurationError(
                f"{options.prepared} is a prepared corpus, whose sentences are no longer parsed. "
                "Prepare it again from its text files with --parser spacy."
            )
        return corpus
    directory = data_directory(options)
    files = find_files(named(options, logging.INFO), directory)
    vector_file = None if vectors is None else find_vectors(vectors.vectors, directory)
    pipeline = None if parser is None else parser.pipeline
    key = cache_key(options, files, vector_file, induced=source is not None, pipeline=pipeline)
    place = directory / "cache" / key
    if options.cache:
        cached = load_cached(place, options)
        if cached is not None:
            return cached
    is_cached = options.cache and can_be_cached(place)
    vector_cache = directory / "cache" / "vectors"
    corpus = _prepare(options, files, vector_file, vector_cache, source, parser)
    if is_cached:
        save_cached(corpus, place)
    return corpus


def _prepare(
    options: CorpusOptions,
    files: dict[str, list[Path]],
    vector_file: Path | None,
    vector_cache: Path,
    source: VectorSourceOptions | None,
    parser: SpacyParser | None,
) -> Corpus:
    """Read the files, choose the vocabulary and numericalise."""
    if source is not None and "train" not in files:
        raise ConfigurationError(
            "Vectors are completed from a training set, and there is none; name its files with "
            "--train, or give pretrained vectors only."
        )
    format, labels = _format_and_labels(options, files)
    builders: dict[str, DatasetBuilder] = {}
    unparsed: dict[str, list[Any] | None] = {}
    notes: list[str] = []
    for split, paths in files.items():
        logger.info(f"Reading {', '.join(printable(str(path)) for path in paths)}")
        builders[split] = DatasetBuilder(labels, lower=options.lower, kind=format.kind)
        unparsed[split], note = _read(builders[split], paths, options, labels, parser)
        notes.append(f"{split}: {note}")
    table = VectorTable(vector_file, vector_cache) if vector_file is not None else None
    minimum = format.minimum_count if options.minimum_count is None else options.minimum_count
    corpus = _numericalise(builders, labels, unparsed, notes, table, minimum, source)
    return replace(corpus, format=options.format)


def corpus_from_examples(
    sets: Mapping[str, Iterable[Example]],
    *,
    lower: bool = True,
    minimum_count: int = 2,
    vectors: VectorTable | None = None,
) -> Corpus:
    """Return a corpus of examples, such as those of :func:`spinn.data.rows.from_rows`.

    Its labels are those of the training set; examples without a label are left out. A folder to
    which it is saved can be trained on (``--data FOLDER``).

    Parameters
    ----------
    sets
        The examples of ``train``, ``dev`` and, if there are any, ``test`` and further sets.
    lower
        Lower-case all words.
    minimum_count
        Minimum number of occurrences in training of words without a vector.
    vectors
        Pretrained vectors.

    Raises
    ------
    ConfigurationError
        If ``train`` is missing.
    DataError
        If a set has no example with a label, the labels look like sentences, or an example of
        another set has a label that does not occur in training.

    """
    if "train" not in sets:
        raise ConfigurationError(f"There is no training set among: {', '.join(sets)}.")
    training = list(sets["train"])
    found = Counter(example.label for example in training if example.label is not None)
    if not found:
        raise DataError("train", "no example has a label", remedy=NEEDS_EXAMPLES)
    check_labels(Path("train"), found)
    labels, kind = standard_labels(found), kind_with(len(training[0].sentences))
    builders: dict[str, DatasetBuilder] = {}
    unparsed: dict[str, list[Any] | None] = {}
    for split, examples in {**sets, "train": training}.items():
        builders[split] = DatasetBuilder(labels, lower=lower, kind=kind)
        unparsed[split] = _add(builders[split], split, _labelled(split, examples, labels))
        if not len(builders[split]):
            remedy = "Leave the set out, or give a list: an iterator can be used only once"
            raise DataError(split, "no example has a label", remedy=remedy)
    notes = [f"{split}: {len(builder):,} {kind.unit}" for split, builder in builders.items()]
    return _numericalise(builders, labels, unparsed, notes, vectors, minimum_count, None)


def _labelled(
    split: str, examples: Iterable[Example], labels: tuple[str, ...]
) -> Iterator[Example]:
    """Yield the examples that have a label, in the spelling of ``labels``."""
    for example in examples:
        label = None if example.label is None else read_label(example.label, labels)
        if label is None:
            continue
        if label not in labels:
            raise unlisted_label(Path(split), example.line, label, labels)
        yield example._replace(label=label)


def _numericalise(
    builders: dict[str, DatasetBuilder],
    labels: tuple[str, ...],
    unparsed: dict[str, list[Any] | None],
    notes: list[str],
    table: VectorTable | None,
    minimum: int,
    source: VectorSourceOptions | None,
) -> Corpus:
    """Choose the vocabulary of sets that are read, and return the corpus."""
    lower = next(iter(builders.values())).lower
    vocabulary = Vocabulary(_words(builders, table, minimum), lower)
    sets = {split: builder.build(vocabulary) for split, builder in builders.items()}
    vectors = None
    if table is not None:
        notes += [table.note] if table.note else []
        vectors = _vectors(source, vocabulary, table, sets)
    notes.append(_vocabulary_note(vocabulary, vectors, sets))
    # Names of files may have characters that are not Unicode, which no file of JSON can have.
    return Corpus(vocabulary, vectors, labels, sets, unparsed, [printable(note) for note in notes])


def _read(
    builder: DatasetBuilder,
    paths: list[Path],
    options: CorpusOptions,
    labels: tuple[str, ...],
    parser: SpacyParser | None,
) -> tuple[list[Any] | None, str]:
    """Read the files of one set; return the place of the first missing tree, and a note."""
    first: list[Any] | None = None
    counts = readers.ReadCounts()
    for path in paths:
        examples = readers.read_examples(
            path, options.format, labels=labels, counts=counts, naming=options.naming
        )
        complete = examples if parser is None else parser.complete(examples)
        missing = _add(builder, str(path), complete)
        first = first or missing
    note = f"{len(builder):,} {builder.kind.unit}"
    if counts.unlabelled:
        note += f", {counts.unlabelled:,} without a gold label skipped"
    if counts.unparsed:
        by = "without a parse" if parser is None else f"parsed by spaCy ({parser.pipeline})"
        note += f", {counts.unparsed:,} {by}"
    if counts.language_note:
        note += f", {counts.language_note}"
    return first, note


def _add(builder: DatasetBuilder, place: str, examples: Iterable[Example]) -> list[Any] | None:
    """Add examples of one place; return the place and the line of the first without a tree."""
    first: list[Any] | None = None
    for example in examples:
        builder.add(example)
        if first is None and not example.is_parsed:
            first = [printable(place), example.line]
    return first


def _words(
    builders: dict[str, DatasetBuilder], table: VectorTable | None, minimum: int
) -> list[str]:
    """Choose the words of the vocabulary."""
    training = builders["train"].word_counts() if "train" in builders else Counter[str]()
    held_out = [
        word
        for split, builder in builders.items()
        if split != "train"
        for word in builder.word_counts()
    ]
    return choose_words(training, held_out, table, minimum)


def _vectors(
    source: VectorSourceOptions | None,
    vocabulary: Vocabulary,
    table: VectorTable,
    sets: dict[str, PairDataset],
) -> WordVectors:
    """Return the vectors of the vocabulary, completed by the source if there is one."""
    if source is None:
        return table.of(vocabulary.words)
    logger.info("Inducing the vectors of words that have none")
    return source.complete(vocabulary.words, table, sets["train"])


def _format_and_labels(
    options: CorpusOptions, files: dict[str, list[Path]]
) -> tuple[Format, tuple[str, ...]]:
    """Return the format of the first file and the labels of the corpus.

    If that format allows any label, the labels are those in the training files. The other files
    must have the same kind of examples and, if their format has labels, the same labels.
    """
    known: tuple[Format, tuple[str, ...]] | None = None
    for path in (path for paths in files.values() for path in paths):
        auto = options.format == "auto"
        if auto or FORMATS.find(options.format).labels is None:
            refuse_pipes([path], "a corpus is read more than once")
        format = detect_format(path, options.naming) if auto else FORMATS.find(options.format)
        if known is not None:
            readers.check_kind(path, format, known[0].kind)
        own = format.labels
        if own is None:  # labels are checked while reading
            if known is None:
                known = format, _labels_in(files.get("train") or [path], options)
            continue
        if known is not None and set(own) != set(known[1]):
            raise DataError(
                path,
                f"its labels ({', '.join(own)}) are not those of the files before it",
                remedy="Give files of one kind",
            )
        known = known or (format, own)
    if known is None:
        raise ConfigurationError("No files were given; name them with --train, --dev and --test.")
    return known


def _labels_in(paths: list[Path], options: CorpusOptions) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for path in paths:
        for example in readers.read_examples(path, options.format, naming=options.naming):
            assert example.label is not None  # rows without one are skipped
            counts[example.label] += 1
    check_labels(paths[0], counts)
    return standard_labels(counts)


def _vocabulary_note(
    vocabulary: Vocabulary, vectors: WordVectors | None, sets: dict[str, PairDataset]
) -> str:
    """Describe the size of the vocabulary and the coverage of the vectors."""
    note = f"vocabulary: {len(vocabulary):,} words"
    if vectors is None:
        return note
    known = vectors.known.numpy()
    shares = ", ".join(
        f"{100 * known[data.words].mean():.1f}% of {split}" for split, data in sets.items()
    )
    return f"{note}, {int(known.sum()):,} with a vector, which cover {shares} words"
