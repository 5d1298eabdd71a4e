"""A run of a language model over fragments, as ``spinn lm train --unit fragment`` starts it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from spinn.data.fragments.corpus import FRAGMENT, FragmentCorpus, load_fragments
from spinn.data.fragments.vocabulary import FragmentVocabulary
from spinn.language.fragments import (
    FORM,
    FragmentConfiguration,
    load_fragment_model,
    read_fragment_configuration,
)
from spinn.model.build import count_parameters
from spinn.training import distributed
from spinn.training.claims import new_folder
from spinn.training.fragments import FragmentTask
from spinn.training.language_run import COMMAND
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


@distributed.logging_in_first()
def train_fragment_model(
    configuration: FragmentConfiguration, output: Path | None = None
) -> dict[str, Any]:
    """Train a new language model over fragments and test it.

    Parameters
    ----------
    configuration
        All options.
    output
        The folder of the run; by default a new one under ``runs``.

    Returns
    -------
    The results, as written to ``results.json``.

    """
    options = configuration.training
    name = f"lm-{FRAGMENT}"
    with new_run(options, lambda: output or new_folder(name, options.seed), COMMAND) as begun:
        path, device = begun
        corpus = distributed.together(lambda: _load(configuration))
        run = RunDirectory(path, COMMAND)
        distributed.on_first(
            lambda: run.begin(configuration.as_dict(), corpus.vocabulary.as_dict())
        )
        distributed.on_first(lambda: run.write_fingerprints(corpus.sets))
        torch.manual_seed(options.seed)
        with model_in_memory(device):
            model = configuration.build_model(corpus.vocabulary).to(device)
        logger.info(
            f"{FORM}: {count_parameters(model):,} weights, on {place_of(device)}; writing to {path}"
        )
        task = FragmentTask(configuration, corpus, model)
        trainer = make_trainer(task, configuration, run)
        return finish(trainer, lambda: _results(trainer, task))


@distributed.logging_in_first()
def resume_fragment_model(path: Path, place: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Continue an interrupted run exactly as it would have continued without the interruption.

    Parameters
    ----------
    path
        The folder of the run.
    place
        Options of where the run is computed and where its trees are.

    """
    configuration = distributed.on_first(lambda: read_fragment_configuration(path))
    configuration = configuration.moved(place or {})
    run, sources = RunDirectory(path, COMMAND), "--train, --dev and --test"
    with claimed_by_first(path):
        distributed.on_first(run.remove_scratch)
        saved = distributed.on_first(lambda: load_fragment_model(path, "last"))
        device = prepare_machine(configuration.training)
        corpus = distributed.together(lambda: _load(configuration, saved.vocabulary))
        distributed.on_first(lambda: run.check_data(corpus.sets, sources))
        task = FragmentTask(configuration, corpus, saved.model.to(device))
        trainer = make_trainer(task, configuration, run)
        trainer.resume()
        return finish(trainer, lambda: _results(trainer, task))


def _load(
    configuration: FragmentConfiguration, vocabulary: FragmentVocabulary | None = None
) -> FragmentCorpus:
    """Read the trees, with the vocabulary of a model if there is one."""
    corpus = load_fragments(configuration.data, vocabulary)
    for note in corpus.notes:
        logger.info(note)
    return corpus


def _results(trainer: Trainer, task: FragmentTask) -> dict[str, Any]:
    model = load_fragment_model(trainer.run.path).model.to(task.device)
    results: dict[str, Any] = {}
    for split, dataset in task.corpus.sets.items():
        if split != "train":
            figures = task.scores(model, split)
            results[split] = figures | {"fragments": len(dataset.fragments)}
            logger.info(f"{split}: {task.summary(figures)}")
    return write_results(trainer, task.model, FORM, results, "perplexity")
