"""Seeded mutations of files: flipped, lost and repeated bytes, and other values in JSON."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 10**30, 0.5, float("nan"), float("inf"), "", "\x1b[2J",
    "<unk>", "\ud800", "../..", [], {}, [None], [[]], {"": []}, [0, "x"],
]  # fmt: skip


def mutated_bytes(content: bytes, dice: random.Random) -> bytes:
    """Return other bytes than the content."""
    place, size = dice.randrange(len(content)), dice.randint(1, 8)
    changed = content
    while changed == content:
        changed = dice.choice([_flipped, _cut, _repeated, _overwritten])(content, place, size, dice)
        place = dice.randrange(len(content))
    return changed


def _flipped(content: bytes, place: int, size: int, dice: random.Random) -> bytes:
    flipped = bytes([content[place] ^ (1 << dice.randrange(8))])
    return content[:place] + flipped + content[place + 1 :]


def _cut(content: bytes, place: int, size: int, dice: random.Random) -> bytes:
    return content[:place] + content[place + size :] * dice.randrange(2)


def _repeated(content: bytes, place: int, size: int, dice: random.Random) -> bytes:
    return content[: place + size] + content[place:]


def _overwritten(content: bytes, place: int, size: int, dice: random.Random) -> bytes:
    return content[:place] + dice.randbytes(size) + content[place + size :]


def mutated_json(document: Any, dice: random.Random) -> str:
    """Return a document in which one value, at any depth, is another, missing or repeated."""
    changed = copy.deepcopy(document)
    places = list(_places(changed))
    container, key = dice.choice(places)
    action: Callable[[], object] = dice.choice([_set, _set, _set, _remove, _repeat])
    action(container, key, dice)
    return json.dumps(changed)


def _places(value: Any) -> Any:
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def _set(container: Any, key: Any, dice: random.Random) -> None:
    container[key] = copy.deepcopy(dice.choice(VALUES))


def _remove(container: Any, key: Any, dice: random.Random) -> None:
    del container[key]


def _repeat(container: Any, key: Any, dice: random.Random) -> None:
    if isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    else:
        container[f"{key}2"] = container.pop(key)


def mutate_file(path: Path, dice: random.Random) -> None:
    """Change a file at random; a JSON file often stays JSON."""
    if path.suffix == ".json" and dice.random() < 0.7:
        path.write_text(mutated_json(json.loads(path.read_text()), dice))
    else:
        path.write_bytes(mutated_bytes(path.read_bytes(), dice))
