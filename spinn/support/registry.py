"""Registries: named parts of the package, to which other code may add."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

from spinn.support.errors import ConfigurationError
from spinn.support.text import did_you_mean

Item = TypeVar("Item")


class Registry(dict[str, Item]):
    """A mapping of names to registered items; ``what`` says in errors what an item is."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def register(self, name: str, item: Item) -> None:
        """Add an item; raise :class:`ValueError` if another one has this name."""
        if self.setdefault(name, item) is not item:
            raise ValueError(f"there is another {self._what} named {name!r}")

    def find(self, name: str) -> Item:
        """Return the item of a name; raise :class:`ConfigurationError` if there is none."""
        if name not in self:
            raise ConfigurationError(
                f"There is no {self._what} {name!r}{did_you_mean(name, self)}. Choose one of: "
                f"{', '.join(self)}."
            )
        return self[name]


class Choices(Collection[str]):
    """The values of an option: some fixed ones, and the names in a registry when they are read.

    Parameters
    ----------
    registry, fixed
        Where the names are, and further values.
    where
        Which items count; by default all.

    """

    def __init__(
        self,
        registry: Mapping[str, Any],
        *fixed: str,
        where: Callable[[Any], bool] = lambda item: True,
    ) -> None:
        self._registry, self._fixed, self._where = registry, fixed, where

    def __contains__(self, name: object) -> bool:
        return any(name == known for known in self)

    def __iter__(self) -> Iterator[str]:
        yield from self._fixed
        yield from (name for name, item in self._registry.items() if self._where(item))

    def __len__(self) -> int:
        return sum(1 for _ in self)
