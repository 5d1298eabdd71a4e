"""Registries: named parts of the data side to which other code may add its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from spinn.errors import ConfigurationError

Item = TypeVar("Item")


class Registry(Mapping[str, Item]):
    """A mapping of names to registered items, in the order of registration.

    Parameters
    ----------
    what
        What an item is, for error messages.

    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._items: dict[str, Item] = {}

    def register(self, name: str, item: Item) -> None:
        """Add an item. Registering the same item again has no effect.

        Raises
        ------
        ValueError
            If another item has this name.

        """
        if self._items.setdefault(name, item) is not item:
            raise ValueError(f"there is another {self._what} named {name!r}")

    def find(self, name: str) -> Item:
        """Return the item of a name.

        Raises
        ------
        ConfigurationError
            If there is none.

        """
        if name not in self._items:
            raise ConfigurationError(
                f"There is no {self._what} {name!r}. Choose one of: {', '.join(self._items)}."
            )
        return self._items[name]

    def __getitem__(self, name: str) -> Item:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class Choices(Collection[str]):
    """The names an option may take: some fixed ones, and all those in a registry by then."""

    def __init__(self, fixed: tuple[str, ...], registry: Mapping[str, object]) -> None:
        self._fixed, self._registry = fixed, registry

    def __contains__(self, name: object) -> bool:
        return name in self._fixed or name in self._registry

    def __iter__(self) -> Iterator[str]:
        yield from self._fixed
        yield from self._registry

    def __len__(self) -> int:
        return len(self._fixed) + len(self._registry)
