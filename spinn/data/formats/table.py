"""Tables: tab-separated label, premise and hypothesis as raw text, with any labels."""

from __future__ import annotations

from pathlib import Path

from spinn.data.formats.format import Format, Row, Source
from spinn.data.lines import split_cells

_COLUMNS = ("label", "premise", "hypothesis")


def matches(first_line: str) -> bool:
    """Return true: any line may be that of a table."""
    return True


def read_line(path: Path, number: int, content: bytes) -> Row | None:
    """Read a label and two sentences; a header in line 1 is skipped."""
    label, premise, hypothesis = split_cells(path, number, content, _COLUMNS)
    if number == 1 and label.lower() in ("label", "gold_label"):
        return None
    return Row(label, Source(premise, None), Source(hypothesis, None))


TABLE = Format("tsv", None, read_line, matches)
