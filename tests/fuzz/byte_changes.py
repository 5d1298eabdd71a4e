"""Changes to a file that ignore its format: bytes, encodings, characters, lines."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from random import Random

ODD_CHARACTERS = (
    *"\0\x01\x07\b\t\v\f\r\x1b\x1c\x1f\x7f\x85\xa0\xad",  # control characters and blanks
    *"\u200b\u200e\u202e\u2028\u2029\ufeff\ufffd\uffff\U000e0001",  # invisible and reserved
    *"\u0130\u017f\ufb01\u0345\u0e33\U0001f468\u200d",  # case and width change with the word
)
LIMIT = 1_000_000  # bytes of a mutated file

ByteChange = Callable[[Random, bytes, bytes], bytes]
"""Returns the changed bytes; the third argument is another file of any kind."""


def _position(random: Random, data: bytes) -> int:
    return random.randrange(len(data) + 1)


def _span(random: Random, data: bytes) -> tuple[int, int]:
    """Return the ends of a piece, mostly a short one."""
    begin = _position(random, data)
    length = random.choice((1, 2, 8, 64, len(data)))
    return begin, min(len(data), begin + random.randint(1, max(1, length)))


def flip_bits(random: Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 64)) if data else 0):
        changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def set_bytes(random: Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 4)) if data else 0):
        changed[random.randrange(len(data))] = random.choice((0, 10, 13, 34, 92, 127, 128, 255))
    return bytes(changed)


def truncate(random: Random, data: bytes, other: bytes) -> bytes:
    return data[: _position(random, data)]


def drop_start(random: Random, data: bytes, other: bytes) -> bytes:
    return data[_position(random, data) :]


def delete(random: Random, data: bytes, other: bytes) -> bytes:
    begin, end = _span(random, data)
    return data[:begin] + data[end:]


def duplicate(random: Random, data: bytes, other: bytes) -> bytes:
    begin, end = _span(random, data)
    return data[:end] + data[begin:end] * random.choice((1, 1, 2, 10)) + data[end:]


def move(random: Random, data: bytes, other: bytes) -> bytes:
    begin, end = _span(random, data)
    rest = data[:begin] + data[end:]
    place = _position(random, rest)
    return rest[:place] + data[begin:end] + rest[place:]


def splice(random: Random, data: bytes, other: bytes) -> bytes:
    return data[: _position(random, data)] + other[_position(random, other) :]


def insert_piece(random: Random, data: bytes, other: bytes) -> bytes:
    begin, end = _span(random, other)
    place = _position(random, data)
    return data[:place] + other[begin:end] + data[place:]


def insert_noise(random: Random, data: bytes, other: bytes) -> bytes:
    place = _position(random, data)
    return data[:place] + random.randbytes(random.choice((1, 4, 100))) + data[place:]


def prefix_bom(random: Random, data: bytes, other: bytes) -> bytes:
    marks = (codecs.BOM_UTF8, codecs.BOM_UTF8 * 2, codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE)
    return random.choice(marks) + data


def encode(random: Random, data: bytes, other: bytes) -> bytes:
    """Write the text in another encoding."""
    text = data.decode(errors="replace").replace("a", random.choice("aéß€"), 3)
    codec = random.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "utf-8", "utf-7"))
    return text.encode(codec, errors="replace")


def odd_character(random: Random, data: bytes, other: bytes) -> bytes:
    piece = random.choice(ODD_CHARACTERS).encode() * random.choice((1, 1, 3, 500))
    place = _position(random, data)
    return data[:place] + piece + data[place:]


def not_utf8(random: Random, data: bytes, other: bytes) -> bytes:
    piece = random.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"))
    place = _position(random, data)
    return data[:place] + piece + data[place:]


def long_word(random: Random, data: bytes, other: bytes) -> bytes:
    piece = random.choice((b"a", b"9", b"-", b"\xc3\xa9", b"(", b"[", b'"'))
    place = _position(random, data)
    return data[:place] + piece * random.choice((300, 5_000, 100_000)) + data[place:]


def long_line(random: Random, data: bytes, other: bytes) -> bytes:
    piece = random.choice((b"a ", b"( a ", b"1 ", b"\t", b" ", b"a\t"))
    place = _position(random, data)
    return data[:place] + piece * random.choice((100, 800)) + data[place:]


def line_ends(random: Random, data: bytes, other: bytes) -> bytes:
    return data.replace(b"\n", random.choice([b"\r\n", b"\r", b"\n\n", b" \n", b"", b"\x0b"]))


def change_line(random: Random, data: bytes, other: bytes) -> bytes:
    """Drop, repeat or reorder lines."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return b"\n"
    number = random.randrange(len(lines))
    chosen = random.choice(("drop", "repeat", "first", "shuffle", "blank", "half"))
    if chosen == "drop":
        del lines[number]
    elif chosen == "repeat":
        lines[number:number] = [lines[number]] * random.choice((1, 5, 100))
    elif chosen == "first":
        lines.insert(0, lines.pop(number))
    elif chosen == "shuffle":
        random.shuffle(lines)
    elif chosen == "blank":
        lines[number] = random.choice((b"\n", b" \t\n", b"\0\n", b"#\n", b"//\n"))
    else:
        lines = lines[: len(lines) // 2]
    return b"".join(lines)


def replace_all(random: Random, data: bytes, other: bytes) -> bytes:
    return random.choice([b"", b"\n", b" ", b"\0" * 100, b"{}", b"[]", b"null", b"1", other])


BYTE_CHANGES: tuple[ByteChange, ...] = (
    flip_bits,
    flip_bits,
    set_bytes,
    truncate,
    drop_start,
    delete,
    duplicate,
    move,
    splice,
    insert_piece,
    insert_noise,
)
TEXT_CHANGES: tuple[ByteChange, ...] = (
    prefix_bom,
    encode,
    odd_character,
    odd_character,
    not_utf8,
    long_word,
    long_line,
    line_ends,
    change_line,
    change_line,
    replace_all,
)
