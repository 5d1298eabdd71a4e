"""Flags made from the configuration's options, and the configuration made from flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spinn import extensions
from spinn.base_options import base_options
from spinn.config import Configuration, resolve
from spinn.config_files import preset_names, read_file
from spinn.data.formats import FORMAT_NAMES, Naming
from spinn.data.formats.columns import read_naming
from spinn.data.options import DATA_GROUP
from spinn.learning.objectives.reinforce import LEARNED_TREES
from spinn.option_groups import all_groups, all_options
from spinn.support.errors import ConfigurationError
from spinn.support.options import Field, Group, flag_of, type_of
from spinn.trees import TREE_SOURCES

CHECKPOINT = "of the run (default: best)"
NO_LABELS = "No row has a gold label. If a column holds labels, name it with --columns label=NAME."
_NAMING = ("columns", "label_names")  # options of the corpus
_TYPES = {"int": int, "float": float, "str": str}


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every option, in a section for each group, and ``--config`` and ``--preset``.

    The flags ``--predict`` and ``--rl`` are short for values of ``--trees``.
    """
    extensions.load()  # their names are choices of flags
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="options from a TOML or JSON file"
    )
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help=f"a named configuration: {', '.join(preset_names())} (default on the bundled corpus: "
        "sample)",
    )
    for group in all_groups().values():
        section = parser.add_argument_group(group.name, group.summary)
        add_group(section, group, LEARNED_TREES)
        if group.name == "trees":
            for flag, source, text in (
                (
                    "--predict",
                    "predicted",
                    "the tracker learns to predict trees (--trees predicted)",
                ),
                ("--rl", "sampled", "learn trees from the labels (--trees sampled)"),
            ):
                section.add_argument(
                    flag, dest="trees", action="append_const", const=source, help=text
                )


def add_group(section: Any, group: Group, learned: Mapping[str, Any] | None = None) -> None:
    """Add the flags of a group of options; ``learned`` are the values that ``--rl`` sets."""
    for part in group.fields().values():
        add_option(section, part, learned)


def add_option(section: Any, part: Field, learned: Mapping[str, Any] | None = None) -> None:
    """Add one flag; if it is not given it is not in the namespace, so that files take effect."""
    declared = type_of(part)
    flag, text = flag_of(part.name), part.metadata["help"].replace("%", "%%")
    common: dict[str, Any] = {"dest": part.name, "default": argparse.SUPPRESS}
    if declared == "bool":
        shown = "on" if part.default else "off"
        section.add_argument(
            flag, action=argparse.BooleanOptionalAction, help=f"{text} (default: {shown})", **common
        )
        return
    if declared == "list[str]":
        metavar = "NAME=FILE" if part.name == "also" else "FILE"
        section.add_argument(flag, action="extend", nargs="+", metavar=metavar, help=text, **common)
        return
    text += _shown_default(part, (learned or {}).get(part.name))
    choices = part.metadata["choices"]
    if part.name == "trees":
        text += "".join(f"; {name}: {source.summary}" for name, source in TREE_SOURCES.items())
        # --predict and --rl name a source too; all that was named is collected and compared.
        section.add_argument(flag, action="append", choices=choices, help=text, **common)
        return
    value = None if choices else {"int": "N", "float": "X", "str": "NAME"}[declared]
    section.add_argument(
        flag, type=_TYPES[declared], choices=choices, metavar=value, help=text, **common
    )


def _shown_default(part: Field, learned: Any) -> str:
    """Return the default of an option as a remark, and what ``--rl`` sets, if anything."""
    if learned is None:
        return "" if part.default is None else f" (default: {part.default})"
    usual = "" if part.default is None else f"default: {part.default}; "
    return f" ({usual}with --rl: {learned})"


def given_options(namespace: argparse.Namespace) -> dict[str, Any]:
    """Take from the parsed flags those that are options of the configuration."""
    known = all_options()
    given = {name: value for name, value in vars(namespace).items() if name in known}
    sources = given.pop("trees", None)
    if sources:
        given["trees"] = _one_source(sources)
    return given


def _one_source(sources: list[str]) -> str:
    if len(set(sources)) > 1:
        flags = {"predicted": "--predict", "sampled": "--rl"}
        named = " and ".join(flags.get(name, f"--trees {name}") for name in dict.fromkeys(sources))
        raise ConfigurationError(
            f"{named} exclude each other: trees come from one source; give one."
        )
    return sources[0]


def configuration_of(namespace: argparse.Namespace) -> Configuration:
    """Resolve preset, file and flags, in this order, to a configuration."""
    given = {} if namespace.config is None else read_file(namespace.config)
    given |= given_options(namespace)
    return resolve(given, base=base_options(namespace.preset, given))


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the flags of commands in which a trained model reads files."""
    parser.add_argument(
        "--format", choices=FORMAT_NAMES, default="auto", help="of the files (default: auto)"
    )
    for name in _NAMING:
        add_option(parser, DATA_GROUP.fields()[name])
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help=CHECKPOINT)
    parser.add_argument(
        "--batch-size",
        type=at_least(1),
        default=256,
        metavar="N",
        help="examples a batch (default: 256)",
    )
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: auto)"
    )
    parser.add_argument(
        "--threads", type=at_least(0), default=0, metavar="N", help="0 for all cores (default: 0)"
    )


def given_naming(namespace: argparse.Namespace) -> Naming:
    """Return the naming of files that is given by flags; those of :func:`add_reading`."""
    return read_naming(*(getattr(namespace, name, None) for name in _NAMING))


def at_least(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """Make the type of a flag that takes whole numbers from a minimum on, up to a maximum."""

    def whole_number(text: str) -> int:
        if int(text) < minimum:
            raise argparse.ArgumentTypeError(f"{text} is less than {minimum}")
        if maximum is not None and int(text) > maximum:
            raise argparse.ArgumentTypeError(f"{text} is more than {maximum}")
        return int(text)

    whole_number.__name__ = "whole number"  # as argparse calls it where the text is none
    return whole_number


def new_folder(text: str) -> Path:
    """Convert the value of a flag for the folder of a run; TensorBoard requires UTF-8 names."""
    if not text:
        raise argparse.ArgumentTypeError("the name of the folder is empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(
            "the name of the folder is not text in the encoding of this system; choose another "
            "name, or set PYTHONUTF8=1 if it is UTF-8"
        ) from None
    return Path(text)
