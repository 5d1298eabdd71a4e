"""Changes to nested values, as JSON, TOML and the state of training have them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

_DEEP, _TWICE = "@deep@", "@twice@"

SPECIAL: tuple[Any, ...] = (
    *(None, True, False, "", " ", "a", "-", "null", "auto", "1", [], {}, [[]], [None], {"a": 1}),
    *(0, 1, -1, 2, 3, 255, 2**31, 2**63, 10**30, -(2**63), 10**400),
    *(0.0, 0.5, -0.5, 1e-320, 1e308, float("nan"), float("inf"), -float("inf")),
    *("a\0b", "a\nb", "a\tb", "\x1b[2J", "\ud800", "\u202e", "é" * 300, "a" * 50_000, "a b " * 400),
    *("( a b )", "( a )", "( ( a b", "a )", "()", "( " * 3_000 + "a" + " )" * 3_000, _DEEP),
    *("..", "../x", "nothing/here", "originals/snli", "originals/snli/train.jsonl", "a/" * 3_000),
)


def change_value(random: Random, value: Any, special: tuple[Any, ...] = SPECIAL) -> Any:
    """Return a copy of a nested value with one part of it changed."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    if not places or random.random() < 0.03:
        return random.choice(special)
    if random.random() < 0.2:
        numbers = [place for place in places if isinstance(place[0][place[1]], (int, float))]
        places = numbers or places
    container, key = random.choice(places)
    old = container[key]
    chosen = random.randrange(11)
    if chosen < 3:
        container[key] = random.choice(special)
    elif chosen == 3:
        del container[key]
    elif chosen == 4:
        container[key] = random.choice(([old], {"a": old}, [old, old], str(old)[:999]))
    elif chosen == 5:
        other, name = random.choice(places)
        if not _within(old, other):
            container[key] = other[name]
    elif chosen == 6 and isinstance(container, dict):
        container[f"{key}{random.choice(('x', ' ', '.a', ''))}"] = container.pop(key)
    elif chosen == 7 and isinstance(container, dict) and isinstance(key, str):
        container[_TWICE + key] = random.choice((old, random.choice(special)))
    elif isinstance(container, list) and chosen in (6, 7):
        container.insert(key, old)
    elif chosen == 8 and isinstance(old, (int, float)):
        container[key] = random.choice((10**3, 10**4, 10**5, 10**6, 10**9, 2**31 - 1, -(2**31)))
    else:
        container[key] = _near(random, old)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container within a value with each of its keys."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, part in items:
        yield value, key
        yield from _places(part)


def _within(container: Any, value: Any) -> bool:
    """Return whether a value is a container or a part of it: it cannot become its own part."""
    return value is container or any(value is place for place, _ in _places(container))


def _near(random: Random, old: Any) -> Any:
    """Return a value of the same type, if that is simple."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return random.choice((-old, old + 1, old - 1, old * 1_000, old + 0.5, float(old), str(old)))
    if isinstance(old, float):
        return random.choice((-old, old + 1, old * 1e9, int(min(abs(old), 1e9)), str(old)))
    if isinstance(old, str):
        cut = random.randrange(len(old) + 1)
        return random.choice((old[:cut], old[cut:], old * 2, old.upper(), f" {old}", f"{old}\n"))
    if isinstance(old, list):
        return random.choice((old[:-1], old[::-1], old + old[:1], old * 3))
    return random.choice(SPECIAL)


def as_json(random: Random, value: Any) -> str:
    """Write a value as JSON, with keys twice and deep brackets where the changes ask for them."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    depth = random.choice((50, 3_000, 100_000))
    return text.replace(f'"{_DEEP}"', "[" * depth + "]" * depth).replace(f'"{_TWICE}', '"')


def change_json(random: Random, text: str) -> str:
    """Change one value of a JSON document."""
    return as_json(random, change_value(random, json.loads(text)))


def change_json_lines(random: Random, text: str) -> str:
    """Change one value in one line, or in the same way in all lines."""
    lines = text.split("\n")
    number = random.randrange(len(lines))
    seed = random.random()
    everywhere = random.random() < 0.2
    for place, line in enumerate(lines):
        if line.strip() and (everywhere or place == number):
            lines[place] = change_json(Random(seed), line)
    return "\n".join(lines)


_TOML_VALUES = (
    *('""', "''", "true", "false", "0", "-1", "1", "9" * 30, "9" * 5_000, "nan", "-inf", "1e999"),
    *("1979-05-27", "07:32:00", "[]", "{}", "[1, 'a']", '["a", "b"]', "{a = 1}", "0x10", "1_000"),
    *('"a\\u0000b"', '"\\ud800"', '"""a\nb"""', "[" * 50 + "]" * 50, "[" * 9_000 + "]" * 9_000),
    *("", "=", '"', "'''", "#", '"auto"', '"none"', '"' + "a" * 50_000 + '"', "0.5", '"1"', "-0.0"),
)


def change_toml(random: Random, text: str) -> str:
    """Change one line of a TOML document."""
    lines = text.split("\n")
    number = random.randrange(len(lines))
    name, equals, value = lines[number].partition(" = ")
    chosen = random.randrange(8)
    if equals and chosen < 4:
        lines[number] = f"{name} = {random.choice(_TOML_VALUES)}"
    elif equals and chosen == 4:
        lines[number] = random.choice((f"{name}x", f"a.{name}", f'"{name}"', "")) + f" = {value}"
    elif chosen == 5:
        lines.insert(number, lines[random.randrange(len(lines))])
    elif chosen == 6:
        del lines[number]
    else:
        tables = ("[a]", "[[a]]", "[]", "[data]", "[[data]]", "[training.x]", "[a", "data = 1")
        lines.insert(number, random.choice(tables))
    return "\n".join(lines)
