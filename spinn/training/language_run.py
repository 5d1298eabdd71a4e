"""A run of a language model from configuration to results, as ``spinn lm train`` starts it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from spinn.data.language import TextCorpus, load_text
from spinn.language.config import LANGUAGE_GROUPS, LanguageConfiguration
from spinn.language.perplexity import text_scores
from spinn.language.pretrained import (
    TrainedLanguageModel,
    load_language_model,
    read_language_configuration,
)
from spinn.language.vectors import read_vectors, take_vectors
from spinn.learning.averaging import NTASGDOptions
from spinn.model.build import count_parameters
from spinn.model.language import LANGUAGE_GROUP
from spinn.support.errors import ConfigurationError
from spinn.support.options import flag_of
from spinn.training import distributed
from spinn.training.claims import new_folder
from spinn.training.language import LanguageTask
from spinn.training.launch import (
    claimed_by_first,
    finish,
    make_trainer,
    model_in_memory,
    new_run,
    place_of,
    prepare_machine,
    write_results,
)
from spinn.training.loop import Trainer
from spinn.training.run_directory import RunDirectory

logger = logging.getLogger(__name__)
COMMAND = ("lm", "train")


@distributed.logging_in_first()
def train_language_model(
    configuration: LanguageConfiguration,
    output: Path | None = None,
    base: TrainedLanguageModel | None = None,
) -> dict[str, Any]:
    """Train a new language model and test it.

    Parameters
    ----------
    configuration
        All options.
    output
        The folder of the run; by default a new one under ``runs``.
    base
        A model whose weights and tokens it begins with, of the same shape.

    Returns
    -------
    The results, as written to ``results.json``.

    """
    _check_processes(configuration)
    options, name = configuration.training, f"lm-{configuration.data.unit}"
    name += f"-{configuration.language.cell}"
    with new_run(options, lambda: output or new_folder(name, options.seed), COMMAND) as begun:
        path, device = begun
        shared = distributed.on_first(lambda: _read_shared(configuration)) if base is None else base
        corpus = distributed.together(lambda: _load(configuration, shared))
        vectors = None
        if base is None:
            vectors = distributed.in_turn(lambda: read_vectors(configuration, corpus))
        run = RunDirectory(path, COMMAND)
        distributed.on_first(
            lambda: run.begin(configuration.as_dict(), corpus.vocabulary.as_dict())
        )
        distributed.on_first(lambda: run.write_fingerprints(corpus.sets))
        torch.manual_seed(options.seed)
        with model_in_memory(device):
            model = configuration.build_model(len(corpus.vocabulary)).to(device)
        if base is not None:
            model.load_state_dict(base.model.state_dict())
        elif shared is not None:
            model.embedding.load_state_dict(shared.model.embedding.state_dict())
        elif vectors is not None:
            take_vectors(model, vectors)
        logger.info(
            f"{configuration.form}: {count_parameters(model):,} weights, on {place_of(device)}; "
            f"writing to {path}"
        )
        task = LanguageTask(configuration, corpus, model)
        trainer = make_trainer(task, configuration, run)
        return finish(trainer, lambda: _results(trainer, task))


def finetune_language_model(
    path: Path, given: Mapping[str, Any], output: Path | None = None
) -> dict[str, Any]:
    """Continue from the averaged weights of a run, averaging from the first step.

    Training stops when the averages are no better on dev than before some evaluations: the rule
    that began the averaging ends it (Merity, Keskar and Socher 2018, section 5).

    Parameters
    ----------
    path
        The folder of the run.
    given
        Options that replace those of the run.
    output
        The folder of the new run.

    Raises
    ------
    ConfigurationError
        If an option would change the shape of the model.

    """
    for name in ("unit", "direction", *LANGUAGE_GROUP.fields()):
        if name in given:
            raise ConfigurationError(f"{flag_of(name)} is that of the run; drop it.")
    base = distributed.on_first(lambda: load_language_model(path))
    own = base.configuration.as_dict()
    kept = {part.name for part in fields(NTASGDOptions)}  # other optimisers have other options
    own["optimizer"] = {name: value for name, value in own["optimizer"].items() if name in kept}
    options = LANGUAGE_GROUPS.flatten(own) | {"optimizer": "nt-asgd", "average_from": "start"}
    configuration = LanguageConfiguration.resolve(options, given)
    return train_language_model(configuration, output, base)


@distributed.logging_in_first()
def resume_language_model(path: Path, place: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Continue an interrupted run exactly as it would have continued without the interruption.

    Parameters
    ----------
    path
        The folder of the run.
    place
        Options of where the run is computed and where its text is.

    """
    configuration = distributed.on_first(lambda: read_language_configuration(path))
    configuration = configuration.moved(place or {})
    _check_processes(configuration)
    run, sources = RunDirectory(path, COMMAND), "--text, --corpus, or --train, --dev and --test"
    with claimed_by_first(path):
        distributed.on_first(run.remove_scratch)
        saved = distributed.on_first(lambda: load_language_model(path, "last"))
        device = prepare_machine(configuration.training)
        corpus = distributed.together(lambda: _load(configuration, saved))
        distributed.on_first(lambda: run.check_data(corpus.sets, sources))
        task = LanguageTask(configuration, corpus, saved.model.to(device))
        trainer = make_trainer(task, configuration, run)
        trainer.resume()
        return finish(trainer, lambda: _results(trainer, task))


def _check_processes(configuration: LanguageConfiguration) -> None:
    """Raise :class:`ConfigurationError` if there are more processes than streams."""
    batches, count = configuration.batches, distributed.world_size()
    if batches.layout == "streams" and count > batches.batch_size:
        raise ConfigurationError(
            f"--batch-size {batches.batch_size} is the number of streams, which are divided among "
            f"the processes; start at most {batches.batch_size} of them, not {count}."
        )


def _read_shared(configuration: LanguageConfiguration) -> TrainedLanguageModel | None:
    """Read the model whose embeddings are used; ``None`` if there is none.

    Raises
    ------
    SpinnError
        If it has other units, or embeddings of another width.

    """
    name = configuration.language.embeddings_of
    if name is None:
        return None
    shared = load_language_model(Path(name))
    if shared.unit.name != configuration.data.unit:
        raise ConfigurationError(
            f"--embeddings-of {name} is a model of {shared.unit.plural}; "
            f"give --unit {shared.unit.name}."
        )
    width = shared.configuration.language.embedding_size
    if width != configuration.language.embedding_size:
        raise ConfigurationError(
            f"The embeddings have width {configuration.language.embedding_size}, those of {name} "
            f"{width}: give --embedding-size {width}."
        )
    return shared


def _load(configuration: LanguageConfiguration, base: TrainedLanguageModel | None) -> TextCorpus:
    """Read the text, with the tokens of a model if there is one."""
    corpus = load_text(configuration.data, None if base is None else base.vocabulary)
    for note in corpus.notes:
        logger.info(note)
    if "dev" not in corpus.sets:
        logger.info("There is no dev set: the best checkpoint is that with the best fit of train.")
    return corpus


def _results(trainer: Trainer, task: LanguageTask) -> dict[str, Any]:
    configuration = task.configuration
    model = load_language_model(trainer.run.path).model.to(task.device)
    results: dict[str, Any] = {}
    for split, text in task.corpus.sets.items():
        if split != "train" or "dev" not in task.corpus.sets:
            layout = configuration.batches.layout
            scores = text_scores(
                model,
                text.tokens,
                layout=layout,
                size=1 if layout == "streams" else configuration.batches.batch_size,
                precision=configuration.training.precision,
            )
            results[split] = scores.as_dict() | {"tokens": scores.tokens}
            logger.info(f"{split}: {task.summary(scores.as_dict())}")
    return write_results(trainer, task.model, configuration.form, results, "perplexity")
