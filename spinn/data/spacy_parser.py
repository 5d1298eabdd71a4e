"""Trees of spaCy's dependency parser, for sentences that have none (``--parser spacy``).

Any installed pipeline with a parser, or a folder of one, can be used; see
:mod:`spinn.data.dependencies` for the binary trees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinn.data.dependencies import DependencyParse, tree_of
from spinn.data.examples import Example, Sentence, parts
from spinn.data.sentences import UNESCAPED
from spinn.support.errors import ConfigurationError
from spinn.transitions import TransitionArray

if TYPE_CHECKING:
    from spacy.language import Language

DEFAULT_PIPELINE = "en_core_web_sm"
BATCH_SIZE = 256
CHUNK = 2_000  # examples whose sentences are parsed together
_UNUSED = ("ner", "lemmatizer", "attribute_ruler", "textcat", "senter", "entity_linker")


def pipeline_of(parser: str) -> str | None:
    """Return the pipeline that a value of ``--parser`` names; ``None`` if it names none."""
    name, _, pipeline = parser.partition(":")
    return (pipeline or DEFAULT_PIPELINE) if name == "spacy" else None


def stamp_of(pipeline: str) -> list[Any]:
    """Return what changes with a pipeline, without loading it.

    It is the version of an installed pipeline, and the names, sizes and times of the files of a
    folder.
    """
    with suppress(PackageNotFoundError, ValueError):
        return [pipeline, version(pipeline)]
    folder = Path(pipeline)
    status = {path: path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    files = [[str(path), one.st_size, one.st_mtime_ns] for path, one in status.items()]
    return [str(folder.resolve()), files]


def named_parser(parser: str) -> SpacyParser:
    """Return the parser that a value of ``--parser`` names.

    Raises
    ------
    ConfigurationError
        If it is not ``spacy`` or ``spacy:NAME``.

    """
    pipeline = pipeline_of(parser)
    if pipeline is None:
        raise ConfigurationError(
            f"There is no parser {parser!r}; give --parser spacy, or spacy:NAME."
        )
    return SpacyParser(pipeline)


class SpacyParser:
    """Parse sentences, given as words.

    The pipeline is loaded when the first sentence is parsed.

    Parameters
    ----------
    pipeline
        Name of an installed pipeline, or a folder.

    """

    def __init__(self, pipeline: str = DEFAULT_PIPELINE) -> None:
        self.pipeline = pipeline
        self._language: Language | None = None

    def complete(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Yield examples with a tree for each sentence that has none.

        Raises
        ------
        ConfigurationError
            See :meth:`trees`.

        """
        for chunk in parts(examples, CHUNK):
            missing = {
                tuple(sentence.words)
                for example in chunk
                for sentence in example.sentences
                if sentence.transitions is None
            }
            found = dict(zip(missing, self.trees(missing), strict=True)) if missing else {}
            for example in chunk:
                yield _with_trees(example, found)

    def trees(self, sentences: Iterable[Sequence[str]]) -> Iterator[TransitionArray]:
        """Yield the transitions ``[2N - 1]`` of each sentence of N words.

        Raises
        ------
        ConfigurationError
            If there is no such pipeline, or it has no dependency parser.

        """
        if self._language is None:
            self._language = _load(self.pipeline)
        from spacy.tokens import Doc

        vocabulary = self._language.vocab
        documents = (
            Doc(vocabulary, words=[UNESCAPED.get(word, word) for word in words])
            for words in sentences
        )
        for document in self._language.pipe(documents, batch_size=BATCH_SIZE):
            yield tree_of(_parse_of(document))


def _with_trees(example: Example, trees: dict[tuple[str, ...], TransitionArray]) -> Example:
    premise, *others = (
        sentence
        if sentence.transitions is not None
        else Sentence(sentence.words, trees[tuple(sentence.words)])
        for sentence in example.sentences
    )
    return example._replace(premise=premise, hypothesis=others[0] if others else None)


def _parse_of(document: Any) -> DependencyParse:
    tokens = list(document)
    return DependencyParse(
        [token.text for token in tokens],
        [token.head.i for token in tokens],
        [token.dep_ for token in tokens],
        [token.tag_ for token in tokens],
    )


def _load(pipeline: str) -> Language:
    try:
        import spacy
    except ImportError as error:
        raise ConfigurationError(
            "Parsing requires spaCy; install it with: python -m pip install spacy"
        ) from error
    try:
        language = spacy.load(pipeline, exclude=list(_UNUSED))
    except (OSError, ValueError, ImportError) as error:
        raise ConfigurationError(
            f"There is no spaCy pipeline {pipeline!r} that can be loaded. Install one with: "
            f"python -m spacy download {DEFAULT_PIPELINE}; name the folder of one (--parser "
            "spacy:FOLDER, in training and evaluation); or give sentences as trees in brackets."
        ) from error
    if "parser" not in language.pipe_names:
        raise ConfigurationError(
            f"The spaCy pipeline {pipeline!r} has no dependency parser; choose another, such as "
            f"{DEFAULT_PIPELINE}."
        )
    return language
