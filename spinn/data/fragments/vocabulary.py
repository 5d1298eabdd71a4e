"""The vocabulary of fragments: those that a model knows, numbered by type.

The numbers of the fragments of a type are consecutive, so that a model can normalise over a type.
The first of them is the *unknown* of the type: all fragments of this type that are rare, or do not
occur in training. The rare fragments of training are kept as a pool; generation draws one of them
where the model chooses the unknown. After the last type follows one number for all fragments of
types that do not occur in training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinn.data.fragments.tree import Fragment, Slot, lower
from spinn.support import json_files as kinds
from spinn.support.errors import ConfigurationError
from spinn.support.json_files import JSONObject, read_object

_LARGEST = 2**20  # fragments in the smallest tree of a type
_REMEDY = "Copy the file again, or train a new model"


class FragmentVocabulary:
    """Fragments and their numbers.

    Parameters
    ----------
    types
        All types of nodes, in the order of their numbers.
    known
        The fragments with a number of their own; those of a type keep their order.
    rare
        The rare fragments of training, with their counts.
    roots
        The types of the roots of training, with their counts.
    lowercase
        Whether terminals are lower-cased before lookup.

    Attributes
    ----------
    types, known, rare, roots, lowercase
        As above.
    sizes
        ``[types + 1]``, the number of fragments of each type, with the unknown.
    fragments
        The fragments by number; ``None`` for an unknown.

    """

    def __init__(
        self,
        types: Sequence[str],
        known: Sequence[Fragment],
        rare: Mapping[Fragment, int],
        roots: Mapping[str, int],
        lowercase: bool = False,
    ) -> None:
        self.types, self.roots, self.lowercase = list(types), dict(roots), lowercase
        self.known, self.rare = list(known), dict(rare)
        self._type_numbers = {type: number for number, type in enumerate(self.types)}
        of_type: list[list[Fragment]] = [[] for _ in self.types]
        for fragment in self.known:
            of_type[self._type_numbers[fragment.type]].append(fragment)
        self.pools: list[list[tuple[Fragment, int]]] = [[] for _ in self.types]
        for fragment, count in self.rare.items():
            self.pools[self._type_numbers[fragment.type]].append((fragment, count))
        self.sizes = [1 + len(fragments) for fragments in of_type] + [1]
        self.fragments: list[Fragment | None] = []
        for fragments in of_type:
            self.fragments += [None, *fragments]
        self.fragments.append(None)
        self._numbers = {
            fragment: number
            for number, fragment in enumerate(self.fragments)
            if fragment is not None
        }

    def __len__(self) -> int:
        return len(self.fragments)

    @cached_property
    def starts(self) -> list[int]:
        """``[types + 1]``, the number of the unknown of each type, its first."""
        return [0, *np.cumsum(self.sizes)[:-1].tolist()]

    def type_number(self, type: str) -> int:
        """Return the number of a type; ``len(types)`` if it does not occur in training."""
        return self._type_numbers.get(type, len(self.types))

    def numbers(self, fragments: Iterable[Fragment]) -> NDArray[np.int32]:
        """Return the numbers of fragments; that of the unknown of its type for an unknown one."""
        if self.lowercase:
            fragments = lower(fragments)
        found = self._numbers
        return np.array(
            [
                found.get(fragment, self.starts[self.type_number(fragment.type)])
                for fragment in fragments
            ],
            dtype=np.int32,
        )

    @cached_property
    def smallest(self) -> dict[str, int]:
        """The number of fragments in the smallest tree of each type that can be generated."""
        return _smallest([*self.known, *self.rare])

    def size_with(self, fragment: Fragment) -> int:
        """Return the number of fragments in the smallest tree with this fragment at its root."""
        return 1 + sum(self.smallest[type] for type in fragment.slots)

    def as_dict(self) -> dict[str, Any]:
        """Return a description for JSON; :func:`read_fragment_vocabulary` restores it."""
        return {
            "types": self.types,
            "roots": self.roots,
            "lowercase": self.lowercase,
            "fragments": [self._row(fragment) for fragment in self.known],
            "rare": [[count, *self._row(fragment)] for fragment, count in self.rare.items()],
        }

    def _row(self, fragment: Fragment) -> list[int | str]:
        """Return the type and the children of a fragment; types and slots are numbers."""
        children = (
            self._type_numbers[child.type] if isinstance(child, Slot) else child
            for child in fragment.children
        )
        return [self._type_numbers[fragment.type], *children]

    @classmethod
    def load(cls, path: Path) -> FragmentVocabulary:
        """Read a file of :meth:`as_dict`; raise :class:`DataError` if it is damaged."""
        return read_fragment_vocabulary(read_object(path, _REMEDY))


def build_fragment_vocabulary(
    sequences: Iterable[Sequence[Fragment]], minimum: int, *, lowercase: bool = False
) -> FragmentVocabulary:
    """Return the vocabulary of training trees, each given as its fragments in pre-order.

    A fragment is known if it occurs at least ``minimum`` times. The most frequent types and
    fragments are first.

    Raises
    ------
    ConfigurationError
        If there are no trees.

    """
    counts: Counter[Fragment] = Counter()
    types: Counter[str] = Counter()
    roots: Counter[str] = Counter()
    for fragments in sequences:
        seen = lower(fragments) if lowercase else fragments
        counts.update(seen)
        types.update(fragment.type for fragment in seen)
        roots[seen[0].type] += 1
    if not roots:
        raise ConfigurationError("There are no trees to take the vocabulary from; give some.")
    ordered = counts.most_common()
    return FragmentVocabulary(
        [type for type, _ in types.most_common()],
        [fragment for fragment, count in ordered if count >= minimum],
        {fragment: count for fragment, count in ordered if count < minimum},
        roots,
        lowercase,
    )


def read_fragment_vocabulary(described: JSONObject) -> FragmentVocabulary:
    """Read a vocabulary, written by :meth:`FragmentVocabulary.as_dict`, and check it.

    Raises
    ------
    DataError
        If a value is of another kind, a fragment occurs twice, or a type has no complete tree.

    """
    types = described.take("types", kinds.distinct(kinds.list_of(kinds.text)))
    fragment = _fragment_of(types)
    known = described.take("fragments", kinds.distinct(kinds.list_of(fragment)))
    rare = described.take("rare", kinds.list_of(_counted(fragment)))
    roots = described.take("roots", kinds.table_of(_positive))
    if not roots or not roots.keys() <= set(types):
        raise described.error("its 'roots' are not types of nodes")
    if len({*known, *(one for one, _ in rare)}) != len(known) + len(rare):
        raise described.error("a fragment occurs twice")
    lowercase = described.take("lowercase", kinds.truth)
    vocabulary = FragmentVocabulary(types, known, dict(rare), roots, lowercase)
    for type in types:
        if vocabulary.smallest.get(type, _LARGEST + 1) > _LARGEST:
            raise described.error(f"no tree of type {type!r} can be completed")
    return vocabulary


def _positive(value: Any) -> int:
    if not kinds.whole(value):
        raise ValueError("is not a positive number")
    return value


def _fragment_of(types: Sequence[str]) -> kinds.Kind[Fragment]:
    """Return the kind of a list of a type and children, with types as numbers."""

    def type_of(value: Any) -> str:
        number = kinds.whole(value)
        if number >= len(types):
            raise ValueError("has a type that does not exist")
        return types[number]

    def check(value: Any) -> Fragment:
        if not isinstance(value, list) or not value:
            raise ValueError("is not a fragment")
        children = (
            kinds.text(child) if isinstance(child, str) else Slot(type_of(child))
            for child in value[1:]
        )
        return Fragment(type_of(value[0]), tuple(children))

    return check


def _counted(fragment: kinds.Kind[Fragment]) -> kinds.Kind[tuple[Fragment, int]]:
    """Return the kind of a list of a count and a fragment."""

    def check(value: Any) -> tuple[Fragment, int]:
        if not isinstance(value, list) or not value:
            raise ValueError("is not a fragment with its count")
        return fragment(value[1:]), _positive(value[0])

    return check


def _smallest(fragments: Iterable[Fragment]) -> dict[str, int]:
    """Return the size of the smallest tree of each type that the fragments can compose.

    The sizes decrease to a fixed point, as in Knuth's generalisation of Dijkstra's algorithm
    (1977); few rounds are enough for grammars of real trees.
    """
    shapes = {(fragment.type, tuple(fragment.slots)) for fragment in fragments}
    sizes: dict[str, int] = {}
    changed = True
    while changed:
        changed = False
        for type, slots in shapes:
            if all(slot in sizes for slot in slots):
                size = 1 + sum(sizes[slot] for slot in slots)
                if size < sizes.get(type, size + 1):
                    sizes[type] = size
                    changed = True
    return sizes
