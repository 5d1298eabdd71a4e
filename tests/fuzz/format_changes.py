"""Changes to a file that know its format: tables, gzip, safetensors, the state of training."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable
from pathlib import PurePath
from random import Random
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from .byte_changes import BYTE_CHANGES, ODD_CHARACTERS, TEXT_CHANGES
from .value_changes import (
    SPECIAL,
    as_json,
    change_json,
    change_json_lines,
    change_toml,
    change_value,
)

_CELLS = (
    *("", " ", "-", "_", "a", "label", "entailment", "9", "-1", "=", "1e999", "nan", "inf", "%"),
    *("()", "( )", "( a )", "( a b )", "( a b c )", "(a b)", "( ( a b )", ") a b (", "[MAX", "]"),
    *("( " * 3_000 + "a" + " b )" * 3_000, "( a " * 3_000 + "b" + " )" * 3_000, "a " * 800),
    *("a" * 50_000, "1e-9", "0x1", "1_0", "١", "1,5", "\u2028", "\u00a0", '"', '"a', "{", "[1]"),
)


def change_table(random: Random, text: str) -> str:
    """Change a cell or a column of a table; columns are at tabs, else at blanks."""
    lines = text.split("\n")
    separator = "\t" if "\t" in text else " "
    number = random.randrange(len(lines))
    column = random.randrange(len(lines[number].split(separator)))
    everywhere = random.random() < 0.15
    seed = random.random()
    for place, line in enumerate(lines):
        if line and (everywhere or place == number):
            cells = line.split(separator)
            lines[place] = separator.join(_change_cells(Random(seed), cells, column % len(cells)))
    return "\n".join(lines)


def _change_cells(random: Random, cells: list[str], column: int) -> list[str]:
    old, chosen = cells[column], random.randrange(8)
    if chosen < 2:
        cells[column] = random.choice(_CELLS)
    elif chosen == 2:
        del cells[column]
    elif chosen == 3:
        cells.insert(column, random.choice((old, random.choice(_CELLS))))
    elif chosen == 4:
        other = random.randrange(len(cells))
        cells[column], cells[other] = cells[other], old
    elif chosen == 5:
        place = random.randrange(len(old) + 1)
        cells[column] = old[:place] + random.choice(ODD_CHARACTERS) + old[place:]
    elif chosen == 6:
        cells[column] = old.replace(random.choice("()[] .ae1"), random.choice("() ab."), 1)
    else:
        cells[column] = random.choice((f'"{old}"', old.upper(), old * 2, old[:-1], f" {old} "))
    return cells


def change_gzip(random: Random, data: bytes, other: bytes, inner: str) -> bytes:
    """Change what is compressed, or the compressed data."""
    text = gzip.decompress(data)
    chosen = random.randrange(6)
    if chosen < 3:
        return gzip.compress(change_content(random, text, other, inner), mtime=0)
    if chosen == 3:
        return text if random.random() < 0.5 else gzip.compress(data, mtime=0)
    if chosen == 4:
        further = gzip.compress(other, mtime=0)
        return data + random.choice((data, b"\0" * 100, b"a", data[:10], further))
    place = random.choice((*range(10), len(data) - 5, len(data) - 1))
    return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]


_NUMBERS = (0, 1, -1, 2, 127, -128, 2**31 - 1, -(2**31))
_DTYPES = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int16, torch.bool)


def change_safetensors(random: Random, data: bytes, other: bytes) -> bytes:
    """Change the header, a number, or a tensor of a file of tensors."""
    if random.random() < 0.5:
        length = struct.unpack("<Q", data[:8])[0]
        header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
        if random.random() < 0.2:
            wrong = (0, 1, length - 1, length + 1, length + 8, 10**8, 2**63, 2**64 - 1)
            return struct.pack("<Q", random.choice(wrong)) + data[8:]
        text = as_json(random, change_value(random, header)).encode(errors="surrogatepass")
        return struct.pack("<Q", len(text)) + text + rest
    tensors = load(data)
    name = random.choice(sorted(tensors))
    if random.random() < 0.2:
        tensors[name + random.choice(("x", ".a", ""))] = tensors.pop(name)
    elif random.random() < 0.2:
        chosen = random.choice(sorted(tensors))
        tensors[name], tensors[chosen] = tensors[chosen], tensors[name].clone()
    else:
        tensors[name] = _change_tensor(random, tensors[name])
    return save({name: value.contiguous().clone() for name, value in tensors.items()})


def _change_tensor(random: Random, tensor: Tensor) -> Tensor:
    chosen = random.randrange(6)
    if chosen < 3 and tensor.numel():
        tensor = tensor.clone()
        number: float = random.choice(_NUMBERS)
        if tensor.is_floating_point():
            number = random.choice((float("nan"), float("inf"), -float("inf"), 1e38, 0.0))
        elif tensor.dtype is torch.int8:
            number = max(-128, min(127, number))
        tensor.view(-1)[random.randrange(tensor.numel())] = number
        return tensor
    if chosen == 3:
        return tensor.to(random.choice(_DTYPES))
    flat = tensor.reshape(-1)
    shapes: tuple[Tensor, ...] = (
        *(flat, flat[:-1], flat[:0], flat[:1].reshape(-1).sum(), tensor[None], tensor[..., None]),
        *(torch.cat((flat, flat)), torch.cat((tensor, tensor)) if tensor.dim() else flat),
        *(tensor.transpose(0, -1) if tensor.dim() else flat, tensor[:-1] if tensor.dim() else flat),
    )
    return random.choice(shapes)


_STATES = (*SPECIAL, torch.zeros(0), torch.zeros(3, 3), torch.full((1,), float("nan")))


def change_state(random: Random, data: bytes, other: bytes) -> bytes:
    """Change a value or a tensor of what torch has saved."""
    stream = io.BytesIO()
    state = torch.load(io.BytesIO(data), weights_only=True)
    torch.save(change_value(random, state, _STATES), stream)
    return stream.getvalue()


_TEXTS: dict[str, Callable[[Random, str], str]] = {
    ".json": change_json,
    ".jsonl": change_json_lines,
    ".toml": change_toml,
    ".tsv": change_table,
    ".txt": change_table,
}
_FILES: dict[str, Callable[[Random, bytes, bytes], bytes]] = {
    ".safetensors": change_safetensors,
    ".pt": change_state,
}


def change_content(random: Random, data: bytes, other: bytes, name: str) -> bytes:
    """Change the bytes of a file once; a structured change needs a file that is still whole."""
    chosen = random.random()
    if chosen < 0.3:
        return random.choice(BYTE_CHANGES)(random, data, other)
    if chosen < 0.5:
        return random.choice(TEXT_CHANGES)(random, data, other)
    try:
        return _change_structure(random, data, other, name)
    except Exception:  # an earlier change broke the structure
        return random.choice(BYTE_CHANGES)(random, data, other)


def _change_structure(random: Random, data: bytes, other: bytes, name: str) -> bytes:
    ending: Any = PurePath(name).suffix
    if ending == ".gz":
        return change_gzip(random, data, other, name.removesuffix(".gz"))
    if ending in _FILES:
        return _FILES[ending](random, data, other)
    return _TEXTS[ending](random, data.decode()).encode(errors="surrogatepass")
