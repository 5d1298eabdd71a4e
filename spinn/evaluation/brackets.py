"""Trees of an evaluation as files of brackets, for the scorer evalb."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from spinn.evaluation.evaluate_files import EvaluatedPart
from spinn.evaluation.treebank import to_treebank
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.files import written_whole

GOLD, PREDICTED = "gold.txt", "predicted.txt"


class BracketFiles:
    """The files ``gold.txt`` and ``predicted.txt``, one tree a line; see :func:`bracket_files`."""

    def __init__(self, gold: TextIO, predicted: TextIO) -> None:
        self._gold, self._predicted = gold, predicted
        self.count = 0
        """Number of trees in each file."""

    def add(self, part: EvaluatedPart) -> None:
        """Write the trees of a part of an evaluation.

        Raises
        ------
        ConfigurationError
            If the model has no trees.

        """
        sentences = [sentence for example in part.examples for sentence in example.sentences]
        if part.evaluation.trees is None:
            raise ConfigurationError("--brackets does nothing here: the model has no trees.")
        for (words, gold), tree in zip(sentences, part.evaluation.trees, strict=True):
            if gold is not None:
                self._gold.write(to_treebank(words, gold) + "\n")
                self._predicted.write(to_treebank(words, tree) + "\n")
                self.count += 1


@contextmanager
def bracket_files(folder: Path) -> Iterator[BracketFiles]:
    """Write ``gold.txt`` and ``predicted.txt`` to a folder; they appear when they are complete.

    Lines of the same number belong together: premise and hypothesis of each pair in turn, without
    the sentences that have no parse.

    Raises
    ------
    SpinnError
        If the data have no parses, or a file cannot be written.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            streams = []
            for name in (GOLD, PREDICTED):
                scratch = stack.enter_context(written_whole(folder / name))
                streams.append(stack.enter_context(scratch.open("w", encoding="utf-8")))
            files = BracketFiles(*streams)
            yield files
            if not files.count:
                raise SpinnError("--brackets requires data with parses; no sentence here has one.")
    except OSError as error:
        raise SpinnError(f"{folder}: it cannot be written ({error.strerror}).") from error
