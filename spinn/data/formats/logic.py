"""Propositional logic: tab-separated relation and two formulas with trees.

Bowman, Manning and Potts (2015, arXiv 1506.04834). ``logic-brackets`` reads the same files with the
brackets of formulas as words.
"""

from __future__ import annotations

from pathlib import Path

from spinn.data.formats.format import Format, Row, Source, is_tree, write_cells
from spinn.data.lines import split_cells
from spinn.transitions import BRACKET_WORDS, from_brackets, tokens_of

# Equivalence, forward and reverse entailment, alternation, negation, cover, independence
# (MacCartney and Manning 2009).
LOGIC_RELATIONS = ("=", "<", ">", "|", "^", "v", "#")
VARIABLES = "abcdef"
_COLUMNS = ("relation", "first formula", "second formula")


def matches(first_line: str) -> bool:
    """Return whether the line is a relation followed by trees or single words."""
    relation, *formulas = first_line.split("\t")
    return (
        relation in LOGIC_RELATIONS
        and len(formulas) > 0
        and all(is_tree(formula) or len(formula.split()) == 1 for formula in formulas)
    )


def read_line(path: Path, number: int, content: bytes) -> Row:
    """Read a relation and two formulas."""
    relation, first, second = split_cells(path, number, content, _COLUMNS)
    return Row(relation, Source(None, first), Source(None, second))


def spell_brackets(text: str) -> str:
    """Turn the brackets of a tree into words: ``( not a )`` has words ``-LRB- not a -RRB-``.

    Sequential models read formulas in this form (Bowman, Manning and Potts 2015). Each node becomes
    a left-branching chain of the opening bracket, the two children, and the closing bracket.

    Raises
    ------
    TreeError
        If the text is not a bracketed binary tree.

    """
    words, _ = from_brackets(text)
    if len(words) == 1:
        return words[0]
    tokens: list[str] = []
    depth = 0
    for token in tokens_of(text):
        if token == "(":
            tokens += ["(", "(", "(", BRACKET_WORDS["("]]
            depth += 1
            continue
        if token == ")":
            tokens += [BRACKET_WORDS[")"], ")"]
            depth -= 1
        else:
            tokens.append(token)
        if depth:
            tokens.append(")")  # joins the child to its chain
    return " ".join(tokens)


LOGIC = Format("logic", LOGIC_RELATIONS, read_line, matches, write_line=write_cells)
LOGIC_BRACKETS = Format("logic-brackets", LOGIC_RELATIONS, read_line, rewrite=spell_brackets)
