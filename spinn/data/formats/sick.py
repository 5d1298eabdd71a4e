"""SICK with parses: tab-separated label, premise tree and hypothesis tree.

Marelli et al. (2014), as parsed for Bowman, Manning and Potts (2015, arXiv 1506.04834).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spinn.data.formats.format import Format, Row, Source, are_trees, is_tree
from spinn.data.labels import INFERENCE_LABELS, read_label
from spinn.data.lines import split_cells

_COLUMNS = ("label", "premise tree", "hypothesis tree")


def matches(first_line: str) -> bool:
    """Return whether the line is a header (``%``) or has a tree after the label."""
    return first_line.startswith("%") or any(map(is_tree, first_line.split("\t")[1:]))


def matches_sample(lines: Sequence[str]) -> bool:
    """Return whether the columns after the label hold trees, and most labels are those of SICK.

    Trees with other labels are a table; a wrong label among many is refused by :func:`read_line`.
    """
    rows = [line.split("\t")[:3] for line in lines if not line.startswith("%")]
    allowed = (None, *INFERENCE_LABELS)
    others = sum(read_label(row[0], INFERENCE_LABELS) not in allowed for row in rows)
    if 10 * others > len(rows):
        return False
    return not rows or are_trees([cell.strip() for row in rows for cell in row[1:]])


def read_line(path: Path, number: int, content: bytes) -> Row | None:
    """Read a label and two trees; further columns are ignored."""
    if content.startswith(b"%"):
        return None
    label, premise, hypothesis, *_ = split_cells(path, number, content, _COLUMNS, more=True)
    return Row(label.lower(), Source(None, premise), Source(None, hypothesis))


SICK = Format("sick", INFERENCE_LABELS, read_line, matches, matches_sample=matches_sample)
