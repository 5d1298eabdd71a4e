"""Transitions, and the binary trees they encode.

A binary tree over N words is a sequence of 2N - 1 transitions: SHIFT moves the next word from the
buffer to the stack, REDUCE replaces the two topmost stack items by their parent. The same tree can
be written as brackets (``( ( a dog ) runs )``, the form of SNLI's ``binary_parse`` fields) or as
the set of its spans. This module converts between the three, checks transition sequences, and
generates the tree shapes that need no parser. It depends on numpy only. All functions are
iterative, so the depth of a tree is not limited.

Words follow treebank conventions: a bracket in the text is the word ``-LRB-`` or ``-RRB-``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# Treebank words for brackets in a text.
BRACKET_WORDS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}

Node = TypeVar("Node")
Span = tuple[int, int]
TransitionArray = NDArray[np.int8]
Transitions = Sequence[int] | TransitionArray


class Transition(IntEnum):
    """The transitions; values as in torchtext's ``ShiftReduceField``."""

    PAD = 1
    REDUCE = 2
    SHIFT = 3


class TreeError(ValueError):
    """Brackets, transitions, spans or fragments are not a tree of the required kind."""


def tokens_of(text: str) -> list[str]:
    """Split a bracketed text at ASCII whitespace.

    Other whitespace may be part of a word: Stanford's tokeniser writes "2 1/2" with a no-break
    space.
    """
    return text.split() if text.isascii() else re.findall(r"[^\t-\r\x1c- ]+", text)


def from_brackets(text: str) -> tuple[list[str], TransitionArray]:
    """Read a bracketed binary tree.

    Parameters
    ----------
    text
        Words and round brackets separated by blanks; brackets around a single word are optional.

    Returns
    -------
    words, transitions
        N words and an array ``[2N - 1]``.

    Raises
    ------
    TreeError
        If brackets do not match, a node does not have two children, or there are no words.

    """
    words: list[str] = []
    transitions: list[int] = []
    children = [0]  # number of children of each open bracket so far; the first entry is the root
    only_bracketed_word = False
    shift, reduce = int(Transition.SHIFT), int(Transition.REDUCE)  # faster than enum members
    for token in tokens_of(text):
        if token == "(":
            children.append(0)
        elif token == ")":
            if len(children) == 1:
                raise TreeError("a closing bracket has no opening bracket")
            count = children.pop()
            if count == 1 and len(words) == 1 and len(children) == 1:
                only_bracketed_word = True
            elif count != 2:
                raise TreeError(f"a node has {count} children where a binary tree has 2")
            if count == 2:
                transitions.append(reduce)
            children[-1] += 1
        else:
            words.append(token)
            transitions.append(shift)
            children[-1] += 1
    if len(children) != 1:
        raise TreeError(f"{len(children) - 1} opening bracket(s) are never closed")
    if not words:
        raise TreeError("the tree has no words")
    if children[0] != 1:
        raise TreeError(f"there are {children[0]} trees side by side, not one")
    if only_bracketed_word and len(words) > 1:
        raise TreeError("a node has 1 children where a binary tree has 2")
    return words, np.array(transitions, dtype=np.int8)


def to_brackets(words: Sequence[str], transitions: Transitions) -> str:
    """Write a tree as brackets; the inverse of :func:`from_brackets`.

    Raises
    ------
    TreeError
        If the transitions are not a tree over these words, or a word could not be read back: it is
        empty, contains a blank or is a bracket.

    """
    steps = np.asarray(transitions)
    check(steps, len(words))
    for word in words:
        if word in ("(", ")") or tokens_of(word) != [word]:
            remedy = f"write {BRACKET_WORDS['(']} or {BRACKET_WORDS[')']}"
            raise TreeError(f"the word {word!r} cannot be written in brackets; {remedy}")
    opened = [0] * len(words)  # brackets that open before each word
    closed = [0] * len(words)  # brackets that close after it
    for start, end in to_spans(steps):
        opened[start] += 1
        closed[end - 1] += 1
    return " ".join(
        "( " * before + word + " )" * after
        for before, word, after in zip(opened, words, closed, strict=True)
    )


def to_spans(transitions: Transitions) -> list[Span]:
    """Return the spans ``(start, end)`` of all composed nodes, in order of composition.

    A tree over N words has N - 1 composed nodes; ``end`` is exclusive. Single words are not listed.

    Raises
    ------
    TreeError
        If the transitions are not a tree.

    """
    spans: list[Span] = []
    starts: list[int] = []  # first word of each stack item; it ends where the next item starts
    position = 0
    # Python integers: numpy scalars and enum members are many times slower in a loop.
    shift, reduce = int(Transition.SHIFT), int(Transition.REDUCE)
    for transition in np.asarray(transitions).tolist():
        if transition == shift:
            starts.append(position)
            position += 1
        elif transition == reduce:
            if len(starts) < 2:
                raise TreeError("a REDUCE finds fewer than two items on the stack")
            starts.pop()
            spans.append((starts[-1], position))
        else:
            raise TreeError(f"{transition} is neither SHIFT nor REDUCE")
    if len(starts) != 1:
        raise TreeError(f"the stack ends with {len(starts)} items where a tree leaves 1")
    return spans


def fold(
    leaves: Iterable[Node], transitions: Transitions, compose: Callable[[Node, Node], Node]
) -> Node:
    """Return what the root of a tree becomes if ``compose`` joins two children, bottom-up.

    Parameters
    ----------
    leaves
        What the N words become.
    transitions
        The tree, ``[2N - 1]``, not checked.
    compose
        Function of the left and the right child.

    """
    stack: list[Node] = []
    words, shift = iter(leaves), int(Transition.SHIFT)
    for transition in np.asarray(transitions).tolist():
        if transition == shift:
            stack.append(next(words))
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(compose(left, right))
    return stack[-1]


def from_spans(length: int, spans: Iterable[Span]) -> TransitionArray:
    """Return the transitions of the tree over ``length`` words with exactly these spans.

    Raises
    ------
    TreeError
        If the spans are not those of a binary tree.

    """
    # After each word, the nodes that end there are composed from the inside out.
    ordered = sorted(set(spans), key=lambda span: (span[1], -span[0]))
    transitions: list[int] = []
    position = 0
    for _, end in ordered:
        transitions += [Transition.SHIFT] * (end - position)
        position = max(position, end)
        transitions.append(Transition.REDUCE)
    transitions += [Transition.SHIFT] * (length - position)
    result = np.array(transitions, dtype=np.int8)
    check(result, length)
    if to_spans(result) != ordered:
        raise TreeError("the spans cross or leave gaps, so they are not a binary tree")
    return result


def is_valid(transitions: Transitions, length: int | None = None) -> bool:
    """Return whether the transitions are one binary tree (over ``length`` words, if given)."""
    try:
        check(transitions, length)
    except TreeError:
        return False
    return True


def check(transitions: Transitions, length: int | None = None) -> None:
    """Raise :class:`TreeError` unless the transitions are one binary tree.

    Each REDUCE must find at least two items on the stack, and one item must remain at the end. If
    ``length`` is given, it must equal the number of SHIFTs.
    """
    steps = np.asarray(transitions)
    shifts = steps == Transition.SHIFT
    if steps.size == 0 or not (shifts | (steps == Transition.REDUCE)).all():
        raise TreeError("a tree is a sequence of SHIFT and REDUCE with at least one SHIFT")
    depth = np.where(shifts, 1, -1).cumsum()
    if depth.min() < 1:
        raise TreeError("a REDUCE finds fewer than two items on the stack")
    if depth[-1] != 1:
        raise TreeError(f"the stack ends with {depth[-1]} items where a tree leaves 1")
    words = (steps.size + 1) // 2
    if length is not None and words != length:
        raise TreeError(f"the tree has {words} words where the sentence has {length}")


def check_sequences(transitions: TransitionArray, offsets: NDArray[np.int64]) -> None:
    """Check the concatenated transitions of many sentences at once.

    Parameters
    ----------
    transitions
        ``[T]``, those of all sentences; PAD throughout a sentence without a tree.
    offsets
        ``[S + 1]``, increasing: the position of each of S sentences, and T.

    Raises
    ------
    TreeError
        Naming the first sentence, from 0, whose transitions are neither PAD nor a binary tree.

    """
    if len(offsets) < 2:
        return
    starts = offsets[:-1]
    # The step from SHIFT to REDUCE is from +1 to -1; PAD and all other numbers do not move.
    moves = (transitions == Transition.SHIFT).astype(np.int8)
    moves -= transitions == Transition.REDUCE
    present = moves[starts] != 0
    depth = np.cumsum(moves, dtype=np.int64)
    before = depth[starts] - moves[starts]
    ends = depth[offsets[1:] - 1] - before
    lowest = np.minimum.reduceat(depth, starts) - before
    steps = np.add.reduceat(moves != 0, starts, dtype=np.int64)
    tree = present & (ends == 1) & (lowest >= 1) & (steps == np.diff(offsets))
    padding = np.add.reduceat(transitions == Transition.PAD, starts, dtype=np.int64)
    wrong = np.flatnonzero(~tree & (padding != np.diff(offsets)))
    if len(wrong):
        raise TreeError(f"the transitions of sentence {wrong[0]} are not a binary tree")


# Deterministic shapes map a length N to transitions [2N - 1].


def left_branching(length: int) -> TransitionArray:
    """``( ( ( a b ) c ) d )``: each word is reduced with all words before it."""
    transitions = np.full(2 * length - 1, Transition.REDUCE, dtype=np.int8)
    transitions[0] = Transition.SHIFT
    transitions[1::2] = Transition.SHIFT
    return transitions


def right_branching(length: int) -> TransitionArray:
    """``( a ( b ( c d ) ) )``: all words are shifted first, then reduced."""
    transitions = np.full(2 * length - 1, Transition.REDUCE, dtype=np.int8)
    transitions[:length] = Transition.SHIFT
    return transitions


def balanced(length: int) -> TransitionArray:
    """Halve every span; the left half of a span of odd length is the larger one."""
    if length < 1:
        raise ValueError("a tree has at least one word")
    transitions: list[int] = []
    agenda = [length]  # lengths still to expand; 0 means a REDUCE of the two preceding nodes
    while agenda:
        size = agenda.pop()
        if size == 0:
            transitions.append(Transition.REDUCE)
        elif size == 1:
            transitions.append(Transition.SHIFT)
        else:
            agenda += [0, size // 2, size - size // 2]
    return np.array(transitions, dtype=np.int8)


FIXED_SHAPES: dict[str, Callable[[int], TransitionArray]] = {
    "left": left_branching,
    "right": right_branching,
    "balanced": balanced,
}


# Random shapes are sampled for a whole batch: they map lengths [B] to padded transitions [T, B].


def random_uniform(lengths: NDArray[np.int64], random: np.random.Generator) -> TransitionArray:
    """Sample each tree uniformly from all binary trees over its words.

    N SHIFTs and N - 1 REDUCEs in random order have exactly one rotation in which every prefix has
    more SHIFTs than REDUCEs (the cycle lemma of Dvoretzky and Motzkin, 1947). That rotation is a
    tree, and every tree results from the same number of orders.

    Returns
    -------
    Transitions ``[T, B]`` with ``T = 2 * max(lengths) - 1``, right-padded with PAD.

    """
    steps = 2 * int(lengths.max()) - 1
    time = np.arange(steps)
    used = time < (2 * lengths - 1)[:, None]  # [B, T]
    order = np.where(used, random.random((len(lengths), steps)), np.inf).argsort(axis=1)
    shuffled = np.empty((len(lengths), steps), dtype=np.int64)
    change = np.where(time < lengths[:, None], 1, -1)  # N times +1, then -1
    np.put_along_axis(shuffled, order, change, axis=1)
    shuffled[~used] = 0
    height = np.where(used, shuffled.cumsum(axis=1), np.iinfo(np.int64).max)
    lowest = steps - 1 - height[:, ::-1].argmin(axis=1)  # the last time the minimum is reached
    rotation = (lowest[:, None] + 1 + time) % (2 * lengths - 1)[:, None]
    rotated = np.take_along_axis(shuffled, rotation, axis=1)
    result = np.where(rotated > 0, Transition.SHIFT, Transition.REDUCE)
    return np.where(used, result, Transition.PAD).T.astype(np.int8)


def random_shift(lengths: NDArray[np.int64], random: np.random.Generator) -> TransitionArray:
    """Sample SHIFT or REDUCE with equal probability wherever both are legal.

    This is the random baseline of the latent-tree literature (an untrained shift-reduce policy).
    Trees with few free choices, such as purely left- or right-branching ones, are more probable
    than under :func:`random_uniform`.

    Returns
    -------
    Transitions ``[T, B]`` with ``T = 2 * max(lengths) - 1``, right-padded with PAD.

    """
    steps = 2 * int(lengths.max()) - 1
    result = np.full((steps, len(lengths)), Transition.PAD, dtype=np.int8)
    depth = np.zeros(len(lengths), dtype=np.int64)
    buffered = lengths.astype(np.int64).copy()
    for time in range(steps):
        coin = random.random(len(lengths)) < 0.5
        shift = (buffered > 0) & ((depth < 2) | coin)
        reduce = ~shift & (depth > 1)
        result[time, shift] = Transition.SHIFT
        result[time, reduce] = Transition.REDUCE
        depth += shift.astype(np.int64) - reduce
        buffered -= shift
    return result


RANDOM_SHAPES: dict[str, Callable[[NDArray[np.int64], np.random.Generator], TransitionArray]] = {
    "random": random_uniform,
    "random-shift": random_shift,
}
