"""The actions of ``spinn lm`` with language models over fragments."""

from __future__ import annotations

import argparse
import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from spinn.commands.options import add_option, at_least
from spinn.data.fragments.corpus import FRAGMENT
from spinn.data.units import UNITS
from spinn.language.fragments import FRAGMENT_GROUPS
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.options import Field, Groups, default_of, flag_of

if TYPE_CHECKING:
    from spinn.data.fragments.dataset import FragmentDataset
    from spinn.language.fragments import TrainedFragmentModel

BATCH = 64  # sentences or trees in a batch of evaluation
_WITH_UNIT = f"with --unit {FRAGMENT}"
_OF_TEXT = {
    "cache_window": 0,
    "block": None,
    "theta": None,
    "weight": None,
    "prefix": "",
}  # flags with their defaults


def shared(part: Field) -> Field:
    """Return an option of text as the flag for both: with the unit, and with both defaults."""
    other = FRAGMENT_GROUPS.options().get(part.name)
    if other is None or default_of(other) == default_of(part):
        return part
    changes: dict[str, Any] = {"choices": (*UNITS, FRAGMENT)}
    if part.name != "unit":
        text = f"{part.metadata['help']}; {_WITH_UNIT} {default_of(other)} by default"
        changes = {"help": text}
    found = copy.copy(part)
    found.metadata = MappingProxyType({**part.metadata, **changes})
    return found


def add_training(parser: argparse.ArgumentParser, text: Groups) -> None:
    """Add the flags of training that the options of text do not have."""
    known = text.options()
    section = parser.add_argument_group("fragments", f"Trees and their model, {_WITH_UNIT}")
    for name, part in FRAGMENT_GROUPS.options().items():
        if name not in known:
            add_option(section, part)


def add_generation(parser: argparse.ArgumentParser) -> None:
    """Add the flags of generation."""
    parser.add_argument(
        "--count",
        type=at_least(1),
        default=1,
        metavar="N",
        help="trees or programs, with a model over fragments (default: 1)",
    )


def chosen(*layers: dict[str, Any]) -> bool:
    """Return whether flat options, of which later ones take precedence, choose fragments."""
    units = [layer["unit"] for layer in layers if "unit" in layer]
    return units[-1:] == [FRAGMENT]


def refuse_flags(given: dict[str, Any], groups: Groups) -> None:
    """Raise :class:`ConfigurationError` for a flag that is not an option of these groups."""
    for name in given:
        if name not in groups.options():
            here = name in FRAGMENT_GROUPS.options()
            owner = f"--unit {FRAGMENT}" if here else "models of text"
            raise ConfigurationError(f"{flag_of(name)} does nothing here; it belongs to {owner}.")


def load(namespace: argparse.Namespace) -> TrainedFragmentModel:
    """Load the model that the flags name, on their device."""
    from spinn.language.fragments import load_fragment_model
    from spinn.support.runtime import choose_device, set_threads

    for name, default in _OF_TEXT.items():
        if getattr(namespace, name, default) != default:
            flag = "--lambda" if name == "weight" else flag_of(name)
            raise ConfigurationError(f"{flag} belongs to models of text; leave it out.")
    set_threads(namespace.threads)
    trained = load_fragment_model(namespace.run_directory, namespace.checkpoint)
    trained.model.to(choose_device(namespace.device))
    return trained


def evaluate(namespace: argparse.Namespace) -> int:
    """Print the perplexity of a set of the run, or of files."""
    from spinn.data.fragments.corpus import unknown_share
    from spinn.language.fragments import fragment_scores

    trained = load(namespace)
    dataset = _dataset(namespace, trained)
    scores = fragment_scores(
        trained.model,
        dataset,
        batch_size=namespace.batch_size or BATCH,
        precision=trained.configuration.training.precision,
    )
    figures = scores.as_dict()
    print(
        f"perplexity {figures['perplexity']:.3f}, loss {figures['loss']:.4f} nats "
        f"({figures['bits']:.4f} bits) a fragment, {scores.tokens:,} fragments, "
        f"{unknown_share(dataset, trained.vocabulary):.2f}% unknown"
    )
    return 0


def _dataset(namespace: argparse.Namespace, trained: TrainedFragmentModel) -> FragmentDataset:
    """Return the trees of the files, or those of a set of the run."""
    from spinn.data.fragments.corpus import load_fragments
    from spinn.data.fragments.dataset import number_sequences
    from spinn.data.fragments.sources import is_python, read_sequences

    options = trained.configuration.data
    if namespace.files is not None:
        if is_python(namespace.files) != trained.writes_programs:
            known = "Python programs" if trained.writes_programs else "trees of sentences"
            raise ConfigurationError(f"This model was trained on {known}; name files of its kind.")
        sequences = read_sequences(namespace.files, repeats=options.repeats)
        return number_sequences(sequences, trained.vocabulary)
    sets = load_fragments(options, trained.vocabulary).sets
    if namespace.split not in sets:
        known = ", ".join(sets)
        raise ConfigurationError(f"The run has no {namespace.split} set; choose from {known}.")
    return sets[namespace.split]


def generate(namespace: argparse.Namespace) -> int:
    """Print generated programs, or trees and their sentences."""
    import torch

    from spinn.language.fragment_generation import FragmentGenerator, Sampling

    trained = load(namespace)
    sampling = Sampling(namespace.temperature, namespace.top_k, namespace.length)
    random = torch.Generator().manual_seed(namespace.seed)
    generator = FragmentGenerator(trained.model, trained.vocabulary, sampling, random)
    for number in range(namespace.count):
        if number:
            print()
        print(generator.program() if trained.writes_programs else _tree(generator))
    return 0


def _tree(generator: Any) -> str:
    """Return a generated tree, and the sentence below it."""
    from spinn.data.fragments.brackets import write_brackets
    from spinn.data.fragments.tree import terminals_of, tree_of

    tree = tree_of(generator.fragments())
    return f"{write_brackets(tree)}\n{' '.join(terminals_of(tree))}"


def refuse_finetuning() -> None:
    """Raise :class:`SpinnError`: there is no fine-tuning of these models."""
    raise SpinnError(
        "Fine-tuning is for models of text. Train the model over fragments anew, with more epochs."
    )
