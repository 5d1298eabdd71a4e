"""Labels as files spell them: signs of a missing gold label, and spellings of the three classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
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
_NAME_LABELS = "Name the labels 0, 1, 2, ... with --label-names"
_HUGGINGFACE = f"--label-names {','.join(INFERENCE_LABELS)}"
_WORDS = 3  # most words of a label
_LABELS = 8  # number of labels that are few, however few the rows


def read_label(text: str, allowed: Collection[str]) -> str | None:
    """Return the label that a file writes as ``text``; ``None`` for a missing gold label.

    A whole number is one without a point: where a label is missing, pandas writes ``0.0`` for 0.

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
    if is_number(lower):
        return lower.partition(".")[0]
    standard = _SPELLINGS.get(lower)
    if standard in allowed:
        return standard
    return lower if lower in (allowed or INFERENCE_LABELS) else text


def name_label(path: Path, line: int, text: str, names: Sequence[str]) -> str:
    """Return the name of a numbered label; the text itself if it is no number, or -1.

    Parameters
    ----------
    path, line
        Place of the label, for errors.
    text
        The label in the file.
    names
        Names of the labels 0, 1, 2, ...; empty if numbers have none.

    Raises
    ------
    DataError
        If a number has no name.

    """
    if not names or not is_number(text):
        return text
    number = int(float(text))
    if number >= len(names):
        raise DataError(
            path,
            f"the label {text} has no name; 0 to {len(names) - 1} are {', '.join(names)}",
            line=line,
            remedy=f"{_NAME_LABELS}, or correct the label",
        )
    return names[number]


def is_number(text: str) -> bool:
    """Return whether a label is a whole number from 0 on, also as pandas writes it (``1.0``)."""
    return re.fullmatch(r"[0-9]{1,9}(\.0+)?", text.strip()) is not None


def unlisted_label(
    path: Path, line: int, label: str, allowed: Collection[str], format: str | None = None
) -> DataError:
    """Return the error for a label that is not allowed in a file, or in one of a format."""
    remedy = "Correct the label, or train on files that have it"
    if format is not None:
        remedy = (
            "Correct the label, train on files that have it, or give another "
            f"--format than {format}"
        )
    if is_number(label) and not any(map(is_number, allowed)):
        remedy = f"{_NAME_LABELS}, such as --label-names {','.join(allowed)}"
        if set(INFERENCE_LABELS).issubset(allowed):
            remedy = f"{_NAME_LABELS}; for HuggingFace's SNLI, MultiNLI and ANLI: {_HUGGINGFACE}"
    elif not is_number(label) and all(map(is_number, allowed)):
        remedy = f"{_NAME_LABELS} if those are its numbers"
    return DataError(
        path, f"the label {label!r} is not one of: {', '.join(allowed)}", line=line, remedy=remedy
    )


def standard_labels(found: Collection[str]) -> tuple[str, ...]:
    """Return the labels of a training set, sorted, in the usual spelling if all have one."""
    spelled = {_SPELLINGS.get(label.strip().lower(), label.strip().lower()) for label in found}
    usual = spelled <= {*INFERENCE_LABELS, NON_ENTAILMENT}
    return tuple(sorted(spelled if usual else set(found)))


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
    A mixture of numbers and the usual words is refused too.
    """
    numbers = [label for label in counts if is_number(label)]
    words = [label for label in counts if label.lower() in (*INFERENCE_LABELS, *_SPELLINGS)]
    if numbers and words:
        raise DataError(
            path,
            f"some of the labels are numbers and some are words ({numbers[0]}, {words[0]})",
            remedy=f"{_NAME_LABELS}, such as {_HUGGINGFACE}",
        )
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
