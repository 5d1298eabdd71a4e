"""Trees of an evaluation as files of brackets, for the scorer evalb."""

from __future__ import annotations

from pathlib import Path

from spinn.evaluation.evaluate_files import FileEvaluation
from spinn.evaluation.treebank import to_treebank
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.files import write_whole


def write_brackets(result: FileEvaluation, folder: Path) -> int:
    """Write ``gold.txt`` and ``predicted.txt``, one tree a line.

    Lines of the same number belong together: premise and hypothesis of each pair in turn, without
    the sentences that have no parse.

    Returns
    -------
    Number of trees in each file.

    Raises
    ------
    SpinnError
        If the model has no trees, the data have no parses, or a file cannot be written.

    """
    sentences = [sentence for example in result.examples for sentence in example.sentences]
    if result.evaluation.trees is None:
        raise ConfigurationError("--brackets does nothing here: the model has no trees.")
    lines = [
        (to_treebank(words, gold), to_treebank(words, tree))
        for (words, gold), tree in zip(sentences, result.evaluation.trees, strict=True)
        if gold is not None
    ]
    if not lines:
        raise SpinnError("--brackets requires data with parses; no sentence here has one.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, trees in zip(
            ("gold.txt", "predicted.txt"), zip(*lines, strict=True), strict=True
        ):
            write_whole(folder / name, "\n".join(trees) + "\n")
    except OSError as error:
        raise SpinnError(f"{folder}: it cannot be written ({error.strerror}).") from error
    return len(lines)
