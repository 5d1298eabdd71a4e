"""Labels as files spell them: signs of a missing gold label, and spellings of the three classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from spinn.support.errors import DataError

INFERENCE_LABELS = ("entailment", "neutral", "contradiction")
NON_ENTAILMENT = "non-entailment"  # neutral or contradiction, in test sets of two classes
UNLABELLED = "-"  # SNLI's label of examples on which the annotators did not agree
# What other files write for it: HuggingFace, the test sets of MultiNLI, tables with empty cells.
_UNLABELLED = frozenset({UNLABELLED, "", "-1", "-1.0", "hidden", "nan"})
# Spellings of ANLI, SciTail, XNLI, HANS and GLUE; numbers are not here, their order differs.
_SPELLINGS = {
    "e": "entailment",
    "entails": "entailment",
    "entailed": "entailment",
    "n": "neutral",
    "c": "contradiction",
    "contradicts": "contradiction",
    "contradictory": "contradiction",
    "non_entailment": NON_ENTAILMENT,
    "non entailment": NON_ENTAILMENT,
    "not_entailment": NON_ENTAILMENT,
    "not-entailment": NON_ENTAILMENT,
    "not entailment": NON_ENTAILMENT,
}
_WORDS = 3  # most words of a label
_LABELS = 8  # number of labels that are few, however few the rows


def read_label(text: str, allowed: Collection[str]) -> str | None:
    """Return the label that a file writes as ``text``; ``None`` for a missing gold label.

    Parameters
    ----------
    text
        The label in the file.
    allowed
        The labels of the corpus or model; empty if any label is allowed. The result is one of them
        if ``text`` is a spelling of it. Include :data:`NON_ENTAILMENT` to read test sets of two
        classes.

    """
    if text in allowed:
        return text
    lower = text.strip().lower()
    if lower in _UNLABELLED:
        return None
    standard = _SPELLINGS.get(lower)
    if standard in allowed:
        return standard
    return lower if lower in (allowed or INFERENCE_LABELS) else text


def is_known(text: str) -> bool:
    """Return whether a text is a usual label of entailment, or marks a missing one."""
    lower = text.strip().lower()
    return lower in _UNLABELLED or lower in _SPELLINGS or lower in (
        *INFERENCE_LABELS, NON_ENTAILMENT
    )  # fmt: skip


def is_sentence(text: str) -> bool:
    """Return whether a text is too long for a label, or ends as a sentence does."""
    words = len(text.split())
    return words > _WORDS or (words > 1 and text.rstrip().endswith((".", "!", "?")))


def check_labels(path: Path, counts: Counter[str]) -> None:
    """Raise :class:`DataError` if the labels of a training file, with their counts, are sentences.

    They are if one of them looks like a sentence, or if half of the rows have a label of their own.
    """
    rows = counts.total()
    long = next((label for label in counts if is_sentence(label)), None)
    few = len(counts) <= (_LABELS if all(len(label.split()) == 1 for label in counts) else 3)
    if long is None and (few or 2 * len(counts) <= rows):
        return
    example = next(iter(counts)) if long is None else long
    raise DataError(
        path,
        f"its labels look like sentences or numbers ({len(counts):,} different ones in {rows:,} "
        f"rows, such as {example!r})",
        remedy="Name the columns label, premise and hypothesis in the first line",
    )
