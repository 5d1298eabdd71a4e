"""The tables of groups of options and of packages say what the package and its checks say."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import pytest

from spinn.commands.options import add_configuration, configuration_of
from spinn.option_groups import GROUPS, all_groups

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CLONE = Path(__file__).parents[2]
CODE = re.compile(r"`([^`]+)`")
WITHOUT_SOME = ([], ["--encoder", "lstm"], ["--vectors", "FILE"])


def table(page: Path, header: str) -> list[list[str]]:
    """Return the cells of the rows under a header."""
    rows = page.read_text(encoding="utf-8").split(header + "\n", 1)[1].splitlines()[1:]
    end = rows.index("")
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[:end]]


def present(flags: list[str]) -> set[str]:
    """Return the groups of the configuration that these flags give."""
    parser = argparse.ArgumentParser()
    add_configuration(parser)
    return set(configuration_of(parser.parse_args(flags)).groups())


GROUP_ROWS = table(CLONE / "docs" / "training.md", "| group | options | present with |")


def test_all_groups_are_listed_in_order_with_their_summaries():
    listed = [(CODE.sub(r"\1", name), CODE.sub(r"\1", text)) for name, text, _ in GROUP_ROWS]
    assert listed == [(group.name, group.summary) for group in all_groups().values()]


@pytest.mark.parametrize(("name", "text", "condition"), GROUP_ROWS)
def test_groups_are_present_with_the_flags_named(name, text, condition):
    group = CODE.sub(r"\1", name)
    if condition == "always":
        assert GROUPS[group].when is None
        return
    assert any(group not in present(flags) for flags in WITHOUT_SOME)
    flags = CODE.findall(condition)
    assert flags
    for alternative in flags:
        assert (group in present(alternative.split())) is not condition.startswith("no ")


def test_the_guide_lists_the_layers_that_imports_are_held_to():
    rows = table(CLONE / "CONTRIBUTING.md", "| package | subject |")
    listed = [
        " | ".join(path.removesuffix(".py").replace("/", ".") for path in CODE.findall(package))
        for package, _ in rows
    ]
    with open(CLONE / "pyproject.toml", "rb") as stream:
        contracts = tomllib.load(stream)["tool"]["importlinter"]["contracts"]
    assert listed == contracts[0]["layers"]


def test_every_module_has_a_page_but_those_behind_commands():
    pages = (CLONE / "docs" / "python").glob("*.md")
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    shown = re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)
    assert len(shown) == len(set(shown))
    modules = set()
    for path in (CLONE / "spinn").rglob("*.py"):
        parts = path.relative_to(CLONE).with_suffix("").parts
        if path.name[0] != "_" and parts[1] not in ("commands", "studies", "generators", "serve"):
            modules.add(".".join(parts))
    assert set(shown) == modules | {"spinn.data.formats"}
