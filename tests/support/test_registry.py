"""Registries: names, order, and what depends on what."""

from __future__ import annotations

import pytest

from spinn import extensions
from spinn.support.errors import ConfigurationError
from spinn.support.options import GUEST_GROUPS
from spinn.support.registry import Choices, Registry


def test_items_are_found_by_name_in_the_order_of_registration():
    registry: Registry[int] = Registry("number")
    choices = Choices(registry, "auto")
    registry.register("two", 2)
    registry.register("one", 1)
    registry.register("one", 1)
    assert dict(registry) == {"two": 2, "one": 1}
    assert registry.find("one") == 1
    assert (list(choices), len(choices)) == (["auto", "two", "one"], 3)
    assert "one" in choices
    assert "three" not in choices
    with pytest.raises(ConfigurationError, match=r"no number 'three'. Choose one of: two, one\."):
        registry.find("three")
    with pytest.raises(ValueError, match="another number named 'one'"):
        registry.register("one", 10)


def test_extensions_are_loaded_any_number_of_times():
    for _ in range(2):
        extensions.load()
    assert "symmetries" in GUEST_GROUPS
