"""The columns of tables and the fields of JSON rows, by the names that published corpora use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# In order of preference; compared in lower case, letters and digits only.
_PAIRS = (
    ("premise", "hypothesis"),
    ("premise", "hypo"),  # the translated training sets of XNLI
    ("context", "hypothesis"),  # ANLI
    ("sentence1", "sentence2"),  # SNLI, MultiNLI, XNLI, HANS, GLUE
    ("sentencea", "sentenceb"),  # SICK
    ("text1", "text2"),
    ("texta", "textb"),
    ("s1", "s2"),
    ("firstsentence", "secondsentence"),
    ("text", "hypothesis"),
    ("sentence", "hypothesis"),
)
_LABELS = (
    "goldlabel", "label", "entailmentjudgment", "entailmentjudgement", "entailmentlabel",
    "judgment", "judgement", "relation", "gold", "class", "target", "labeltext", "labelname",
    "category", "answer", "verdict", "y",
)  # fmt: skip
_IDENTIFIERS = ("pairid", "id", "uid", "guid", "exampleid", "idx", "index")


class Columns(NamedTuple):
    """The names of the columns of each role, as the file has them; ``None`` if there is none."""

    label: str | None
    premise: str
    hypothesis: str
    premise_tree: str | None
    hypothesis_tree: str | None
    identifier: str | None


def find_columns(names: Sequence[str]) -> Columns | None:
    """Return the columns with these names; ``None`` if they do not include both sentences.

    A column of another name is the label if it is the only one left of three.
    """
    known = {_plain(name): name for name in reversed(names)}
    pair = next((pair for pair in _PAIRS if pair[0] in known and pair[1] in known), None)
    if pair is None:
        return None
    label = _first(known, _LABELS)
    identifier = _first(known, _IDENTIFIERS)
    rest = [name for plain, name in known.items() if plain not in pair]
    if label is None and identifier is None and len(names) == 3 and len(rest) == 1:
        label = rest[0]
    premise_tree, hypothesis_tree = (
        _first(known, (f"{name}binaryparse", f"binaryparse{name}")) for name in pair
    )
    return Columns(label, known[pair[0]], known[pair[1]], premise_tree, hypothesis_tree, identifier)


def is_label(name: str) -> bool:
    """Return whether a column of this name is the label."""
    return _plain(name) in _LABELS


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _first(known: dict[str, str], names: Sequence[str]) -> str | None:
    return next((known[name] for name in names if name in known), None)
