"""Trees of spaCy's dependency parser, for sentences that have none.

Any installed pipeline with a parser, or a folder of one, can be used; see
:mod:`spinn.data.dependencies` for the binary trees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from spinn.data.dependencies import DependencyParse, tree_of
from spinn.data.sentences import UNESCAPED
from spinn.support.errors import ConfigurationError
from spinn.transitions import TransitionArray

if TYPE_CHECKING:
    from spacy.language import Language

DEFAULT_PIPELINE = "en_core_web_sm"
BATCH_SIZE = 256
_UNUSED = ("ner", "lemmatizer", "attribute_ruler", "textcat", "senter", "entity_linker")


class SpacyParser:
    """Parse sentences, given as words.

    Parameters
    ----------
    pipeline
        Name of an installed pipeline, or a folder.

    Raises
    ------
    ConfigurationError
        If there is no such pipeline, or it has no dependency parser.

    """

    def __init__(self, pipeline: str = DEFAULT_PIPELINE) -> None:
        self.pipeline = pipeline
        self._language = _load(pipeline)

    def trees(self, sentences: Iterable[Sequence[str]]) -> Iterator[TransitionArray]:
        """Yield the transitions ``[2N - 1]`` of each sentence of N words."""
        from spacy.tokens import Doc

        vocabulary = self._language.vocab
        documents = (
            Doc(vocabulary, words=[UNESCAPED.get(word, word) for word in words])
            for words in sentences
        )
        for document in self._language.pipe(documents, batch_size=BATCH_SIZE):
            yield tree_of(_parse_of(document))


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
            f"There is no spaCy pipeline {pipeline!r} that can be loaded. Install it with: "
            f"python -m spacy download {DEFAULT_PIPELINE}; or name the folder of a pipeline."
        ) from error
    if "parser" not in language.pipe_names:
        raise ConfigurationError(
            f"The spaCy pipeline {pipeline!r} has no dependency parser; choose another, such as "
            f"{DEFAULT_PIPELINE}."
        )
    return language
