"""Corpus files to examples: a registry of formats, and one loop that reads any of them.

A format is a function from one line to a ``Row``: the label and, for each of its one or two
sentences, the raw text, the bracketed tree, or both. What is common to all formats stands in
``read_examples``: opening plain or gzip files, skipping rows without a label, turning trees into
words and transitions, tokenising sentences that have no tree, and one clear error for whatever
cannot be read. It is the first step of the data's way: examples go on to the vocabulary and the
numericalised dataset.

Words come from the leaves of the tree wherever the file has one, so that the vocabulary does not
depend on whether trees are used.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from spinn.data import jsonlines
from spinn.data.examples import ROLES, UNITS, Example, Sentence
from spinn.data.tokenizer import Tokenizer
from spinn.errors import ConfigurationError, DataError
from spinn.transitions import BRACKET_WORDS, TreeError, from_brackets, tokens_of

INFERENCE_LABELS = ("entailment", "neutral", "contradiction")
# The seven relations of natural logic: equivalence, forward and reverse entailment, alternation,
# negation, cover, independence (MacCartney and Manning 2009; Bowman, Manning and Potts 2015).
LOGIC_RELATIONS = ("=", "<", ">", "|", "^", "v", "#")
DIGITS = tuple("0123456789")  # what an expression of ListOps comes to
OPENING_WORD, CLOSING_WORD = BRACKET_WORDS["("], BRACKET_WORDS[")"]
UNLABELLED = "-"  # SNLI's gold label where the annotators found no majority

_NEEDS_EXAMPLES = "Choose a file with labelled sentences or sentence pairs"
_NO_PARSE_NEEDED = "Choose trees that need no parse, such as --trees balanced"


class Source(NamedTuple):
    """A sentence as the file has it: raw text, a bracketed tree, or both."""

    text: str | None
    brackets: str | None


class Row(NamedTuple):
    """One line of a corpus file, not yet checked; a single sentence has no hypothesis."""

    label: str
    premise: Source
    hypothesis: Source | None
    identifier: str = ""


class Reader(NamedTuple):
    """A file format.

    ``labels`` are those the format knows, ``None`` where a file may have any. ``read`` takes the
    path and number of a line (for its errors) and the line itself, and gives its row, or ``None``
    for a header. ``sides`` is the number of sentences of an example, 1 or 2. ``minimum_count`` is
    how often a word has to occur in training to be known, unless the person says otherwise: text
    has rare words to learn the unknown word from, a formal language of few symbols has none.
    ``rewrite`` says what a bracketed tree is taken for, where that is not the tree itself.
    """

    name: str
    labels: tuple[str, ...] | None
    read: Callable[[Path, int, bytes], Row | None]
    sides: int = 2
    minimum_count: int = 2
    rewrite: Callable[[str], str] | None = None


@dataclass
class ReadCounts:
    """What became of the rows of a file (or of several, if handed to several readings)."""

    read: int = 0
    """Examples given out."""
    unlabelled: int = 0
    """Rows labelled ``-``."""
    unparsed: int = 0
    """Examples in which a sentence has no tree in the file; counted in ``read`` too."""


def read_examples(
    path: str | Path,
    format: str = "auto",
    *,
    use_parses: bool = True,
    labels: Collection[str] | None = None,
    sides: int | None = None,
    counts: ReadCounts | None = None,
    unlabelled: bool = False,
) -> Iterator[Example]:
    """Read the examples of a corpus file, plain or gzip, one at a time.

    Blank lines are skipped, and rows labelled ``-`` unless they are asked for. Consecutive examples
    with the same premise share one ``Sentence``.

    Parameters
    ----------
    path
        The file.
    format
        A name in ``READERS``, or ``auto`` to tell it from the first line (``detect_format``).
    use_parses
        If false, the leaves of a tree are read for their words only: ``transitions`` is ``None``
        throughout, and the tree need not be binary.
    labels
        The labels allowed, in place of those of the format: those of a trained model, say.
    sides
        How many sentences an example must have, if that matters.
    counts
        Is added to while reading.
    unlabelled
        Whether rows labelled ``-`` are read too, as examples without a label.

    Raises
    ------
    ConfigurationError
        If there is no such format.
    DataError
        While reading, at the first thing that cannot be read. A missing tree is none: the sentence
        is tokenised, and ``no_parse`` is the error of those who need the tree.

    """
    if format != "auto" and format not in READERS:
        names = ", ".join(["auto", *READERS])
        raise ConfigurationError(f"There is no corpus format {format!r}. Choose one of: {names}.")
    counts = ReadCounts() if counts is None else counts
    return _read(Path(path), format, use_parses, labels, sides, counts, unlabelled)


def _read(
    path: Path,
    format: str,
    use_parses: bool,
    labels: Collection[str] | None,
    sides: int | None,
    counts: ReadCounts,
    unlabelled: bool,
) -> Iterator[Example]:
    lines = _lines(path)
    first = _first(path, lines)
    reader = READERS[_format_of(first[1]) if format == "auto" else format]
    if sides is not None:
        check_sides(path, reader, sides)
    allowed = frozenset(labels or reader.labels or ())
    sentences = _SentenceReader(path, use_parses, reader)
    read_before, unlabelled_before = counts.read, counts.unlabelled
    for number, line in chain([first], lines):
        row = reader.read(path, number, line)
        if row is None:
            continue
        if row.label == UNLABELLED:
            counts.unlabelled += 1
            if not unlabelled:
                continue
        elif row.label not in allowed:
            _check_unlisted_label(path, number, row.label, reader, labels)
        premise = sentences.premise(row.premise, number)
        hypothesis = None
        if row.hypothesis is not None:
            hypothesis = sentences.hypothesis(row.hypothesis, number)
        sources = (row.premise, row.hypothesis)
        counts.unparsed += any(one is not None and one.brackets is None for one in sources)
        counts.read += 1
        label = None if row.label == UNLABELLED else row.label
        yield Example(premise, hypothesis, label, number, row.identifier)
    if counts.read == read_before:
        skipped = counts.unlabelled - unlabelled_before
        cause = (
            f"all {skipped} rows are unlabelled (their label is '-')"
            if skipped
            else "the file has no rows"
        )
        raise DataError(path, cause, remedy=_NEEDS_EXAMPLES)


def check_sides(path: str | Path, reader: Reader, sides: int) -> None:
    """Raise :class:`DataError` if a file of this format has not so many sentences an example."""
    if reader.sides != sides:
        raise DataError(
            path,
            f"its rows are {UNITS[reader.sides]} (format {reader.name}) where "
            f"{UNITS[sides]} are wanted",
            remedy="Give single sentences or pairs throughout, in training and after",
        )


def _check_unlisted_label(
    path: Path, line: int, label: str, reader: Reader, labels: Collection[str] | None
) -> None:
    """Raise an error unless any label will do and this is one."""
    allowed = labels or reader.labels
    if not label.strip():
        raise DataError(path, "the label is empty", line=line, remedy="Give every row a label")
    if allowed:
        raise DataError(
            path,
            f"the label {label!r} is not one of: {', '.join(allowed)}",
            line=line,
            remedy=f"Mend the label, or name another format than {reader.name}",
        )


def no_parse(path: str | Path, line: int | None) -> DataError:
    """Make the error of a sentence without a tree, where trees are wanted."""
    return DataError(path, "a sentence has no tree", line=line, remedy=_NO_PARSE_NEEDED)


def detect_format(path: str | Path) -> str:
    """Name the format of a file by its first line.

    JSON is ``snli`` (``multinli`` is read in the same way); tab-separated trees are ``logic`` where
    the label is one of its relations, otherwise ``sick``; a digit and a single tree (or a single
    word) are ``listops``; all else is ``tsv``.

    Raises
    ------
    DataError
        If the file cannot be opened or is empty.

    """
    path = Path(path)
    return _format_of(_first(path, _lines(path))[1])


def _format_of(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace").strip()
    if text.startswith("{") or (text.startswith("[") and "\t" not in text):
        return "snli"
    if text.startswith("%"):
        return "sick"
    label, *sentences = text.split("\t")
    is_tree = [sentence.startswith("( ") for sentence in sentences]
    is_word = [len(sentence.split()) == 1 for sentence in sentences]
    if label in LOGIC_RELATIONS and is_tree and all(map(any, zip(is_tree, is_word, strict=True))):
        return "logic"
    if label in DIGITS and len(sentences) == 1 and (is_tree[0] or is_word[0]):
        return "listops"
    return "sick" if any(is_tree) else "tsv"


# Files to lines.


def _first(path: Path, lines: Iterator[tuple[int, bytes]]) -> tuple[int, bytes]:
    for numbered_line in lines:
        return numbered_line
    raise DataError(path, "the file is empty", remedy=_NEEDS_EXAMPLES)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a plain or gzip file with their numbers, except blank ones."""
    number = 0
    try:
        with open(path, "rb") as file, _decompress(path, file) as stream:
            for number, line in enumerate(stream, start=1):
                content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if content and not content.isspace():
                    yield number, content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            path,
            f"the gzip data are cut short or damaged from here on ({error})",
            line=number + 1,
            remedy="Copy or download the file again",
        ) from error
    except FileNotFoundError as error:
        raise DataError(
            path, "there is no such file", remedy="Check the path, or download the corpus first"
        ) from error
    except IsADirectoryError as error:
        raise DataError(path, "this is a folder", remedy="Name a file in it") from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            path, f"the file cannot be read ({reason})", remedy="Check it and its permissions"
        ) from error


def _decompress(path: Path, file: io.BufferedReader) -> BinaryIO:
    magic = file.peek(4)
    if magic.startswith(b"\x1f\x8b"):
        # GzipFile hands out lines one by one in Python; a buffer around it does so in C.
        compressed = cast(io.RawIOBase, gzip.GzipFile(fileobj=file))
        return cast(BinaryIO, io.BufferedReader(compressed, 2**18))
    if magic.startswith(b"PK\x03\x04"):
        raise DataError(path, "this is a zip archive", remedy="Unpack it and name a file in it")
    return cast(BinaryIO, file)


def _decode(path: Path, line: int, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            path,
            f"byte {error.start + 1} of the line, {content[error.start]:#04x}, is not UTF-8",
            line=line,
            remedy="Convert the file, for example with `iconv -f latin1 -t utf-8`",
        ) from error


# Lines to rows, one function for each format.


def _read_json(path: Path, line: int, content: bytes) -> Row:
    try:
        row = jsonlines.loads(content)
    except ValueError as error:
        _decode(path, line, content)  # says it better if the bytes are to blame
        raise DataError(
            path, f"the line is not JSON ({error})", line=line, remedy="Download the file again"
        ) from error
    if not isinstance(row, dict):
        kind = type(row).__name__
        raise DataError(
            path,
            f"the line is a JSON {kind} where an object is wanted",
            line=line,
            remedy="Write one object a line, in braces",
        )
    sentences = []
    for name in ("sentence1", "sentence2"):
        brackets = row.get(name + "_binary_parse")
        if brackets is not None:
            brackets = _json_text(path, line, row, name + "_binary_parse").strip() or None
        sentences.append(Source(_json_text(path, line, row, name), brackets))
    identifier = row.get("pairID")
    return Row(
        _json_text(path, line, row, "gold_label"),
        sentences[0],
        sentences[1],
        identifier if isinstance(identifier, str) else "",
    )


def _json_text(path: Path, line: int, row: dict[str, object], field: str) -> str:
    value = row.get(field)
    if isinstance(value, str):
        return value
    cause = f"the field {field!r} is not text" if field in row else f"there is no field {field!r}"
    remedy = "Each row needs gold_label, sentence1 and sentence2"
    raise DataError(path, cause, line=line, remedy=remedy)


def _read_sick(path: Path, line: int, content: bytes) -> Row | None:
    if content.startswith(b"%"):
        return None
    cells = _cells(path, line, content, "label, premise tree, hypothesis tree", more=True)
    return Row(cells[0].lower(), Source(None, cells[1]), Source(None, cells[2]))


def _read_logic(path: Path, line: int, content: bytes) -> Row:
    cells = _cells(path, line, content, "relation, first formula, second formula")
    return Row(cells[0], Source(None, cells[1]), Source(None, cells[2]))


def _read_listops(path: Path, line: int, content: bytes) -> Row:
    cells = _cells(path, line, content, "digit, bracketed expression", count=2)
    return Row(cells[0], Source(None, cells[1]), None)


def _read_tsv(path: Path, line: int, content: bytes) -> Row | None:
    cells = _cells(path, line, content, "label, premise, hypothesis")
    if line == 1 and cells[0].lower() in ("label", "gold_label"):
        return None
    return Row(cells[0], Source(cells[1], None), Source(cells[2], None))


def _cells(
    path: Path, line: int, content: bytes, wanted: str, *, count: int = 3, more: bool = False
) -> list[str]:
    """Split a line at its tabs into ``count`` cells, or (if ``more``) at least as many."""
    cells = [cell.strip() for cell in _decode(path, line, content).split("\t")]
    if len(cells) < count or (len(cells) > count and not more):
        raise DataError(
            path,
            f"the line has {len(cells)} tab-separated column{'s'[: len(cells) != 1]}",
            line=line,
            remedy=f"Write {'at least ' if more else ''}{('two', 'three')[count - 2]}: {wanted}",
        )
    return cells


def spell_brackets(text: str) -> str:
    """Make words of a tree's brackets: ``( not a )`` has the four words ``-LRB- not a -RRB-``.

    That is how models without trees are told a formula's structure (Bowman, Manning and Potts
    2015). In the tree that is returned, each node of the one given is a chain that takes up, from
    left to right, the opening bracket, the two children and the closing one.

    Raises
    ------
    TreeError
        If the text is not a bracketed binary tree.

    """
    words, _ = from_brackets(text)
    if len(words) == 1:
        return words[0]
    tokens: list[str] = []
    depth = 0
    for token in tokens_of(text):
        if token == "(":
            tokens += ["(", "(", "(", OPENING_WORD]
            depth += 1
            continue
        if token == ")":
            tokens += [CLOSING_WORD, ")"]
            depth -= 1
        else:
            tokens.append(token)
        if depth:
            tokens.append(")")  # the chain has taken the child up
    return " ".join(tokens)


READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Reader("snli", INFERENCE_LABELS, _read_json),
        Reader("multinli", INFERENCE_LABELS, _read_json),
        Reader("sick", INFERENCE_LABELS, _read_sick),
        Reader("logic", LOGIC_RELATIONS, _read_logic),
        Reader("logic-brackets", LOGIC_RELATIONS, _read_logic, rewrite=spell_brackets),
        Reader("tsv", None, _read_tsv),
        # Nangia and Bowman 2018.
        Reader("listops", DIGITS, _read_listops, sides=1, minimum_count=1),
    )
}


# Sources to sentences.


class _SentenceReader:
    """Turn the sentences of one file into words and transitions."""

    def __init__(self, path: Path, use_parses: bool, reader: Reader) -> None:
        self._path = path
        self._use_parses = use_parses
        self._roles = ROLES[reader.sides]  # what to call the sentences of a row
        self._rewrite = reader.rewrite
        self._tokenizer: Tokenizer | None = None  # made when the first sentence needs it
        self._last: tuple[Source, Sentence] | None = None

    def premise(self, source: Source, line: int) -> Sentence:
        """Read a premise, unless it is that of the row before (SNLI has three in a row)."""
        if self._last is None or self._last[0] != source:
            self._last = source, self._read(source, line, self._roles[0])
        return self._last[1]

    def hypothesis(self, source: Source, line: int) -> Sentence:
        """Read a hypothesis."""
        return self._read(source, line, self._roles[1])

    def _read(self, source: Source, line: int, role: str) -> Sentence:
        if source.brackets is None:
            return Sentence(self._tokenise(source.text or "", line, role))
        if not source.brackets:
            raise self._empty(line, role)
        try:
            sentence = self._parse(source.brackets)
        except TreeError as error:
            raise DataError(
                self._path,
                f"the {role} is not a binary tree: {error}",
                line=line,
                remedy="Mend its brackets, or take the row out",
            ) from error
        if source.text and not belongs_to(sentence.words, source.text):
            raise DataError(
                self._path,
                f"the {role}'s tree has other words than its text: "
                f"{_shorten(' '.join(sentence.words))!r} for {_shorten(source.text)!r}",
                line=line,
                remedy="Give the sentence its own tree, or none",
            )
        return sentence

    def _parse(self, brackets: str) -> Sentence:
        if self._rewrite is not None:
            brackets = self._rewrite(brackets)
        if self._use_parses:
            return Sentence(*from_brackets(brackets))
        words = [token for token in tokens_of(brackets) if token != "(" and token != ")"]
        if not words:
            raise TreeError("the tree has no words")
        return Sentence(words)

    def _tokenise(self, text: str, line: int, role: str) -> list[str]:
        if not text or text.isspace():
            raise self._empty(line, role)
        if self._tokenizer is None:
            self._tokenizer = Tokenizer()
        return self._tokenizer(text)

    def _empty(self, line: int, role: str) -> DataError:
        remedy = "Remove the row, or fill in the sentence"
        return DataError(self._path, f"the {role} is empty", line=line, remedy=remedy)


def belongs_to(words: list[str], text: str) -> bool:
    """Tell whether the leaves of a tree can be the words of a text; only gross differences count.

    The published files differ in small ways: quotes and brackets are escaped, blanks doubled,
    spellings normalised, characters dropped. So a tree is refused only if its leaves have less than
    half or more than twice the characters of the text (and four more), or if there are at least
    four leaves and those that occur in the text make up less than half of their characters. Blanks,
    case, and the treebank's way of writing quotes and brackets are left out of account.
    """
    letters = len("".join(words))
    if letters == len(text) - text.count(" ") and text.startswith(words[0]):
        return True  # nearly every sentence: same first word, same length
    plain = "".join(text.split()).lower()
    leaves = [_UNESCAPED.get(word, word).lower() for word in words]
    letters = len("".join(leaves))
    if max(letters, len(plain)) > 2 * min(letters, len(plain)) + 4:
        return False
    shared = sum(len(leaf) for leaf in leaves if leaf in plain)
    return len(leaves) < 4 or 2 * shared >= letters


_UNESCAPED = {OPENING_WORD: "(", CLOSING_WORD: ")", "``": '"', "''": '"', "`": "'"}


def _shorten(text: str, length: int = 40) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
