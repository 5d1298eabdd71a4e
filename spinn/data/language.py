"""The text of a language model: files of plain text, or the sentences of an NLI corpus.

The vocabulary is that of the training text alone. A set of text is one array of token numbers, in
which every line or sentence ends with the token ``Unit.end``.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinn.data.find import find_files
from spinn.data.lines import READ_AGAIN, decode, numbered_lines, refuse_pipes
from spinn.data.options import CorpusOptions
from spinn.data.places import data_directory
from spinn.data.readers import read_examples
from spinn.data.tokenizer import Tokenizer
from spinn.data.units import UNITS, Unit
from spinn.data.vocabulary import SPECIAL_WORDS, UNKNOWN, Vocabulary
from spinn.support.errors import ConfigurationError, DataError
from spinn.support.options import Condition, Group, option
from spinn.support.registry import Choices

logger = logging.getLogger(__name__)

SPLITS = ("train", "dev", "test")
_LONGEST_LINE = 2**28  # bytes; some corpora, such as text8, are a single line
TEXT_FILES = ("text", "train", "dev", "test", "corpus", "data_directory")  # where the text is
END = len(SPECIAL_WORDS)  # the number of the token that ends a line or a sentence
_NOT_LETTERS = re.compile("[^a-z]+")
Tokens = NDArray[np.int32]


@dataclass(frozen=True)
class TextOptions:
    """What to read, and its units."""

    unit: str = option("word", "what the model predicts", choices=Choices(UNITS))
    text: list[str] = option([], "files of plain text, which are split by --split")
    train: list[str] = option([], "files of plain text for training, instead of --text")
    dev: list[str] = option([], "files of plain text for development")
    test: list[str] = option([], "files of plain text for the test")
    corpus: str | None = option(
        None, "the sentences of snli, multinli, sample or a folder of an NLI corpus, instead"
    )
    data_directory: str = option("data", "folder of downloaded corpora")
    split: str = option(
        "80/10/10",
        "percentages of --text for train, dev and test, in the order of the text; "
        "100 to train on everything, and to evaluate on that",
        when=Condition(lambda values: bool(values["text"]), "it belongs to --text"),
    )
    limit: int | None = option(
        None,
        "tokens of --text that are read (default: all)",
        minimum=1,
        when=Condition(lambda values: bool(values["text"]), "it belongs to --text"),
    )
    normalize: str = option(
        "none",
        "lower: lower-case the text; letters: also replace everything but a to z by single blanks",
        choices=("none", "lower", "letters"),
    )
    direction: str = option(
        "forward",
        "backward: read each line or sentence from its end",
        choices=("forward", "backward"),
    )
    minimum_count: int = option(
        1,
        "minimum number of occurrences in training of a token; others are unknown",
        minimum=1,
        when=Condition(
            lambda values: values["embeddings_of"] is None,
            "--embeddings-of has the tokens",
        ),
    )

    @property
    def shares(self) -> list[float]:
        """The shares of train, dev and test, up to the last that is given.

        Raises
        ------
        ConfigurationError
            If they are no percentages that add up to 100.

        """
        try:
            parts = [float(part) for part in self.split.split("/")]
        except ValueError:
            parts = []
        positive = 1 <= len(parts) <= len(SPLITS) and min(parts) > 0
        if not positive or abs(sum(parts) - 100) > 1e-6:
            raise ConfigurationError(
                f"--split {self.split} must be one to three percentages that add up to 100; "
                "give 80/10/10, 90/10 or 100."
            )
        return [part / 100 for part in parts]

    @property
    def files(self) -> dict[str, list[Path]]:
        """The files of each set, of those that are given by set."""
        given = {split: [Path(name) for name in getattr(self, split)] for split in SPLITS}
        return {split: files for split, files in given.items() if files}

    def moved(self, place: Mapping[str, Any]) -> TextOptions:
        """Return the options of the same text in another place, by some of :data:`TEXT_FILES`."""
        return replace(self, **{name: place[name] for name in TEXT_FILES if name in place})


TEXT_GROUP = Group("data", TextOptions)


@dataclass(frozen=True)
class Text:
    """A set of text as numbers of tokens ``[N]``."""

    tokens: Tokens

    def __len__(self) -> int:
        """Return the number of tokens (N)."""
        return len(self.tokens)

    @property
    def fingerprint(self) -> str:
        """A digest of the text."""
        return hashlib.sha256(self.tokens.tobytes()).hexdigest()


@dataclass(frozen=True)
class TextCorpus:
    """Sets of text as numbers.

    Attributes
    ----------
    unit
        The unit.
    vocabulary
        Its words are the tokens: two special ones, the end of a line or sentence, and the others.
    sets
        ``train`` and, if present, ``dev`` and ``test``.
    notes
        Messages for the user.

    """

    unit: Unit
    vocabulary: Vocabulary
    sets: dict[str, Text]
    notes: list[str]


def load_text(options: TextOptions, vocabulary: Vocabulary | None = None) -> TextCorpus:
    """Read the text.

    Parameters
    ----------
    options
        What to read.
    vocabulary
        The tokens of a model; by default, those of the training set are chosen.

    Raises
    ------
    ConfigurationError
        If no text is named, or in more than one way.
    DataError
        If a file cannot be read.

    """
    check_sources(options)
    unit = UNITS.find(options.unit)
    notes: list[str] = []
    if options.corpus is not None:
        sets = _read_corpus(options, unit, notes)
    elif options.text:
        sets = _cut(_read_files([Path(name) for name in options.text], options, unit), options)
    else:
        files = options.files
        sets = {split: list(_read_files(paths, options, unit)) for split, paths in files.items()}
    for split, tokens in sets.items():
        if len(tokens) < 2:
            raise ConfigurationError(f"The {split} set has no text; give more.")
    if vocabulary is None:
        vocabulary = choose_tokens(sets["train"], unit, options.minimum_count)
    numbers = {
        split: Text(directed(vocabulary.numbers(tokens), options.direction))
        for split, tokens in sets.items()
    }
    for split, text in numbers.items():
        unknown = 100 * (text.tokens == UNKNOWN).mean()
        notes.append(f"{split}: {len(text):,} {unit.plural}, {unknown:.2f}% unknown")
    notes.append(f"vocabulary: {len(vocabulary):,} {unit.plural}")
    return TextCorpus(unit, vocabulary, numbers, notes)


def directed(tokens: Tokens, direction: str) -> Tokens:
    """Return a text in a direction: backward, the words of each line are in reverse order.

    :data:`END` remains at the end of each line.
    """
    if direction == "forward":
        return tokens
    is_end, places = tokens == END, np.arange(len(tokens))
    ends = np.append(np.flatnonzero(is_end), len(tokens))
    starts = np.concatenate([[0], ends[:-1] + 1])
    line = np.searchsorted(ends, places)
    return tokens[np.where(is_end, places, starts[line] + ends[line] - 1 - places)]


def check_sources(options: TextOptions) -> None:
    """Raise :class:`ConfigurationError` unless text is named in one way, and has lines to reverse.

    Only letters are kept of the characters of files; the sentences of a corpus keep their ends.
    """
    ways = [bool(options.text), bool(options.files), options.corpus is not None]
    if sum(ways) != 1 or (options.files and "train" not in options.files):
        raise ConfigurationError(
            "Name the text in one way: --text FILES, --train FILES (with --dev and --test), "
            "or --corpus snli, multinli, sample or a folder."
        )
    letters = options.unit == "char" and options.normalize == "letters"
    if letters and options.direction == "backward" and options.corpus is None:
        raise ConfigurationError(
            "--normalize letters drops the ends of lines of characters, which --direction backward "
            "needs; give --normalize lower, or --unit word."
        )
    if options.text:
        _ = options.shares  # raises an error if they are wrong


def choose_tokens(training: Iterable[str], unit: Unit, minimum: int) -> Vocabulary:
    """Return the vocabulary of a training set, the most frequent tokens first."""
    counts = Counter(training)
    fixed = [*SPECIAL_WORDS, unit.end]
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    chosen = [token for token, count in frequent if count >= minimum and token not in fixed]
    return Vocabulary([*fixed, *chosen], lower=False)


def read_tokens(path: Path, options: TextOptions) -> Iterator[str]:
    """Yield the tokens of a file of plain text.

    Every line ends with the end of the unit. If only letters are kept, a line of characters ends
    with a blank. For a model of the sentences of a corpus, a line is tokenised as they were.

    Raises
    ------
    DataError
        If the file cannot be read, or is not text in UTF-8.

    """
    unit, letters = UNITS.find(options.unit), options.normalize == "letters"
    end = " " if letters and unit.name == "char" else unit.end
    tokenise = Tokenizer() if options.corpus is not None else None
    for number, content in numbered_lines(path, blank=True, longest=_LONGEST_LINE):
        text = decode(path, number, content).rstrip("\r\n")
        if tokenise is not None:
            text = " ".join(tokenise(text))
        line = normalized(text, options.normalize)
        if line or not letters:
            yield from unit.split(line)
            yield end


def normalized(text: str, way: str) -> str:
    """Return a text in lower case, with letters and single blanks only, or as it is."""
    if way == "none":
        return text
    text = text.lower()
    return _NOT_LETTERS.sub(" ", text).strip() if way == "letters" else text


def _read_files(paths: list[Path], options: TextOptions, unit: Unit) -> list[str]:
    tokens: list[str] = []
    refuse_pipes(paths, READ_AGAIN)
    for path in paths:
        logger.info(f"Reading {path}")
        before = len(tokens)
        tokens.extend(read_tokens(path, options))
        if len(tokens) == before:
            raise DataError(path, "there is no text in it", remedy="Name another file")
    return tokens


def _cut(tokens: list[str], options: TextOptions) -> dict[str, list[str]]:
    """Cut a text into contiguous sets; the first has what rounding leaves."""
    tokens = tokens[: options.limit]
    shares = options.shares
    sizes = [int(share * len(tokens)) for share in shares[1:]]
    sizes.insert(0, len(tokens) - sum(sizes))
    ends = np.cumsum(sizes).tolist()
    parts = zip(SPLITS, ends, sizes, strict=False)
    return {split: tokens[end - size : end] for split, end, size in parts}


def _read_corpus(options: TextOptions, unit: Unit, notes: list[str]) -> dict[str, list[str]]:
    """Read the sentences of an NLI corpus: each set has distinct premises, and all hypotheses."""
    corpus = CorpusOptions(data=options.corpus, data_directory=options.data_directory)
    files = find_files(
        corpus, data_directory(corpus), "give files of plain text with --text or --train"
    )
    sets: dict[str, list[str]] = {}
    known: set[str] = set()
    for split in SPLITS:
        sentences = list(_sentences(files.get(split, []), options.normalize))
        if split == "train":
            known.update(sentences)
        elif sentences:
            seen = sum(sentence in known for sentence in sentences)
            notes.append(
                f"{split}: {seen:,} of {len(sentences):,} sentences "
                f"({100 * seen / len(sentences):.1f}%) are also in train"
            )
        if sentences:
            sets[split] = [token for one in sentences for token in (*unit.split(one), unit.end)]
    if "train" not in sets:
        raise ConfigurationError(f"--corpus {options.corpus} has no training set; name another.")
    return sets


def _sentences(paths: list[Path], normalize: str) -> Iterator[str]:
    """Yield the distinct premises and all hypotheses of files, as words with blanks between."""
    premises: set[str] = set()
    for path in paths:
        logger.info(f"Reading {path}")
        for example in read_examples(path, use_parses=False, unlabelled=True):
            premise, *others = (" ".join(sentence.words) for sentence in example.sentences)
            if premise not in premises:
                premises.add(premise)
                yield normalized(premise, normalize)
            for other in others:
                yield normalized(other, normalize)
