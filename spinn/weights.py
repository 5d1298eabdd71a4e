"""The weights of a model, compared with its configuration before the model is built.

Weights may have the names that they have today, or those of earlier versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from spinn.config import Configuration
from spinn.model.leaves import WordEmbedding
from spinn.support.errors import ConfigurationError, DataError
from spinn.support.tensor_files import read_tensors, save_tensors

Built = TypeVar("Built", bound=nn.Module)
WEIGHTS = "weights.safetensors"


def read_weights(place: Path) -> dict[str, Tensor]:
    """Read a file of weights.

    Raises
    ------
    DataError
        If it is missing or damaged, or a weight is not finite.

    """
    weights = read_tensors(place, "Train again")
    for name, value in weights.items():
        if not _is_finite(value):
            cause = f"{name} is not finite; the model has diverged"
            remedy = "Train again with a lower --learning-rate or --clip"
            raise DataError(place, cause, remedy=remedy)
    return weights


def write_weights(path: Path, model: nn.Module, dtype: torch.dtype | None = None) -> None:
    """Write the weights of a model to a folder.

    Parameters
    ----------
    path
        The folder.
    model
        The model.
    dtype
        Type of the weights in the file; by default, that of the model. Integers remain integers.

    Raises
    ------
    ConfigurationError
        If a weight exceeds the range of ``dtype``, or that is not a floating-point type of at least
        16 bits.

    """
    weights = model.state_dict()
    if dtype is not None:
        weights = {name: _rounded(name, value, dtype) for name, value in weights.items()}
    save_tensors(weights, path / WEIGHTS)


def _rounded(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if not dtype.is_floating_point or dtype.itemsize < 2:
        raise ConfigurationError(f"Weights cannot be saved as {dtype}; give torch.bfloat16.")
    rounded = value.to(dtype) if value.is_floating_point() else value
    if not _is_finite(rounded):
        raise ConfigurationError(f"{name} exceeds the range of {dtype}; give torch.bfloat16.")
    return rounded


def _is_finite(value: Tensor) -> bool:
    return bool(value.float().isfinite().all())  # torch has no isfinite for some float8 types


def check_weights(
    configuration: Configuration,
    weights: dict[str, Tensor],
    place: Path,
    *,
    words: int,
    labels: int,
    sides: int,
) -> WordEmbedding:
    """Check weights against the model they belong to, before it is built.

    A damaged configuration may describe a model that no memory could hold, so the model is first
    built on torch's ``meta`` device, which allocates nothing.

    Parameters
    ----------
    configuration
        Of the model.
    weights
        From a file, in present or former names.
    place
        The file they were read from, for the error.
    words, labels, sides
        Numbers of words, of labels, and of sentences in an example.

    Returns
    -------
    An embedding of the shape of the one that was saved.

    Raises
    ------
    DataError
        If they belong to another model.

    """
    weights = present_names(weights)
    try:
        embedding = WordEmbedding.shaped_like(weights, "leaves.embedding.")
    except KeyError as error:
        raise DataError(place, f"it has no {error}", remedy="Train again") from error
    except ValueError as error:
        raise DataError(place, f"it cannot be read ({error})", remedy="Train again") from error
    if len(embedding.trained_rows) != words:
        raise DataError(
            place,
            f"it has {len(embedding.trained_rows)} words and vocabulary.json has {words}",
            remedy="Copy the whole folder of the run",
        )
    if configuration.model.classifier_layers > len(weights):  # as many modules would be made
        raise _misfit(place)
    try:
        with torch.device("meta"):
            model = configuration.build_model(embedding, labels, sides)
    except (OverflowError, RuntimeError, TypeError, ValueError) as error:  # impossible sizes
        raise _misfit(place) from error
    expected = model.state_dict()
    if _shapes(expected) != _shapes(weights):
        raise _misfit(place)
    for name, value in weights.items():
        if name.endswith("embedding.trained_rows") and not value.equal(embedding.trained_rows):
            raise DataError(place, f"{name} is not that of the words", remedy="Train again")
    return embedding


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[bool, torch.Size]]:
    return {name: (value.is_floating_point(), value.shape) for name, value in weights.items()}


def _misfit(place: Path) -> DataError:
    return DataError(
        place,
        "the weights belong to another configuration than that in config.json",
        remedy="Restore the config.json and vocabulary.json that the run was trained with",
    )


def load_weights(model: nn.Module, weights: dict[str, Tensor], place: Path) -> None:
    """Put weights into a model of the same shape.

    Parameters
    ----------
    model
        The model.
    weights
        From a file, in present or former names.
    place
        The file they were read from, for the error.

    Raises
    ------
    DataError
        If they belong to another configuration.

    """
    try:
        model.load_state_dict(present_names(weights))
    except RuntimeError as error:
        raise _misfit(place) from error


def build_with_weights(build: Callable[[], Built], place: Path, cause: str) -> Built:
    """Build a module, and load its weights from a file.

    Parameters
    ----------
    build
        Builds the module. Its weights are compared with the file before any memory is taken: a
        damaged configuration may describe a module of any size.
    place
        The file.
    cause
        What is wrong if they differ, for the error.

    Raises
    ------
    DataError
        If the file is missing or damaged, or has other weights.

    """
    weights = read_weights(place)
    misfit = DataError(place, cause, remedy="Copy the whole folder of the run")
    try:
        with torch.device("meta"):
            expected = build().state_dict()
    except (OverflowError, RuntimeError) as error:
        raise misfit from error
    if _shapes(weights) != _shapes(expected):
        raise misfit
    module = build()
    load_weights(module, weights, place)
    return module


def has_former_names(names: Iterable[str]) -> bool:
    """Return whether these are names of weights of an earlier version, with a parser apart."""
    return any(name.startswith("parser.") for name in names)


def present_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in present names.

    In earlier versions, a parser apart (``--parser own``) was a part of the model and is now a part
    of the encoder: ``parser.*`` is ``encoder.parser.*``, ``encoder.*`` is ``encoder.composer.*``.
    """
    if not has_former_names(weights):
        return weights
    renamed = {}
    for name, value in weights.items():
        part, _, rest = name.partition(".")
        moved = {"parser": f"encoder.parser.{rest}", "encoder": f"encoder.composer.{rest}"}
        renamed[moved.get(part, name)] = value
    return renamed
