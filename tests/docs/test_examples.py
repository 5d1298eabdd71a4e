"""The Python examples of the documentation run, and print what the pages show.

The fenced ``python`` blocks of a page run in order, in one namespace. If a fenced ``text`` block or
a table follows a block, it must be exactly what the block prints; other blocks print nothing.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from spinn.config import resolve
from spinn.data.formats import FORMATS
from spinn.learning.schedules import SCHEDULES
from spinn.model.cells import COMPOSITIONS
from spinn.model.leaves import LEAF_CONTEXTS
from spinn.option_groups import all_options
from spinn.training.loggers import LOGGERS
from spinn.training.run import train
from spinn.trees import TREE_SOURCES

CLONE = Path(__file__).parents[2]
PAGES = [CLONE / "README.md", *sorted((CLONE / "docs").rglob("*.md"))]
REGISTRIES: list[dict] = [COMPOSITIONS, LEAF_CONTEXTS, FORMATS, TREE_SOURCES, SCHEDULES, LOGGERS]

CHOSEN_BY: dict[str, dict] = {
    "composition": COMPOSITIONS,
    "format": FORMATS,
    "leaf_context": LEAF_CONTEXTS,
    "schedule": SCHEDULES,
    "trees": TREE_SOURCES,
}  # the registry of an option's values

BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n"
    r"(?:\n+(?:```text\n(?P<text>.*?)^```\n|(?P<table>(?:\|[^\n]*\n)+)))?",
    re.MULTILINE | re.DOTALL,
)


class Example(NamedTuple):
    """A block of code, the line it begins at, and what it prints."""

    line: int
    code: str
    output: str


def examples(page: str) -> list[Example]:
    """Return the Python blocks of a page."""
    return [
        Example(
            page.count("\n", 0, match.start("code")) + 1,
            match["code"],
            match["text"] or match["table"] or "",
        )
        for match in BLOCK.finditer(page)
    ]


@pytest.fixture
def restored_registries() -> Iterator[None]:
    """Forget what the examples register."""
    before: list[Mapping] = [dict(registry) for registry in REGISTRIES]
    yield
    for registry, names in zip(REGISTRIES, before, strict=True):
        for name in registry.keys() - names.keys():
            del registry[name]


WITH_EXAMPLES = [page for page in PAGES if examples(page.read_text(encoding="utf-8"))]


def test_the_pages_that_must_have_examples_have_them():
    names = {page.name for page in WITH_EXAMPLES}
    assert {
        "README.md",
        "algorithm.md",
        "extending.md",
        "python-interface.md",
        "training.md",
    } <= names


def train_first_run() -> None:
    """Train, in little time, a model where the README's first command leaves its own."""
    small = {"embedding_size": 8, "classifier_width": 8, "tracker_size": 4, "tensorboard": False}
    little = {"data": "sample", "epochs": 1, "max_words": 7, "cache": False}
    place = {"threads": 1, "device": "cpu"}
    configuration = resolve({"tracker": True, "trees": "sampled"}, small, little, place)
    train(configuration, Path("runs/rl-spinn-seed1"))


BEFORE = {
    "README.md": train_first_run,
    "python-interface.md": train_first_run,
}  # what the examples of a page take for granted


@pytest.mark.usefixtures("restored_registries")
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.stem)
def test_examples_print_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write files
    BEFORE.get(page.name, lambda: None)()
    # A module of its own, since dataclasses look their module up.
    namespace: dict[str, object] = {"__name__": "__main__"}
    for example in examples(page.read_text(encoding="utf-8")):
        printed = io.StringIO()
        # Blank lines in front, so that a traceback names the line of the page.
        text = "\n" * (example.line - 1) + example.code
        code = compile(text, str(page), "exec", dont_inherit=True)
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        assert printed.getvalue() == example.output, f"{page.name}, line {example.line}"
    options = all_options()
    for option, registry in CHOSEN_BY.items():
        assert set(registry) <= set(options[option].metadata["choices"]), option
