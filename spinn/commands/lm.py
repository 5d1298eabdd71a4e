"""``spinn lm``: train language models, evaluate them, generate text."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinn.commands import lm_fragments
from spinn.commands.lm_fragments import BATCH
from spinn.commands.options import add_option, at_least, new_folder
from spinn.config_files import preset_names, read_file, read_preset, read_unchecked
from spinn.data.language import TEXT_FILES
from spinn.language.config import LANGUAGE_GROUPS, PRESETS, LanguageConfiguration
from spinn.language.fragments import FRAGMENT_GROUPS, FragmentConfiguration
from spinn.learning.options import LARGEST_SEED, PLACE
from spinn.support.errors import ConfigurationError
from spinn.support.hints import command
from spinn.support.options import Groups, flag_of

if TYPE_CHECKING:
    from spinn.data.language import Tokens
    from spinn.language.pretrained import TrainedLanguageModel

logger = logging.getLogger(__name__)
_BLOCK = 256
_ACTIONS = {
    "train": "train and test a language model",
    "finetune": "continue from the averaged weights of a run, with NT-ASGD from the first step",
    "evaluate": "evaluate a language model, with or without a continuous cache",
    "generate": "generate text with a language model",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and the flags of each."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    added = {}
    for name, summary in _ACTIONS.items():
        described = f"{summary[0].upper()}{summary[1:]}."
        added[name] = actions.add_parser(name, help=summary, description=described)
    _add_training(added["train"])
    added["finetune"].add_argument("run_directory", type=Path, metavar="RUN", help="the run")
    _add_training(added["finetune"], new=False)
    for name in ("evaluate", "generate"):
        added[name].add_argument("run_directory", type=Path, metavar="RUN", help="the run")
        added[name].add_argument("--checkpoint", choices=("best", "last"), default="best")
    _add_evaluation(added["evaluate"])
    _add_generation(added["generate"])
    for name in ("evaluate", "generate"):
        _add_machine(added[name])


def _add_training(parser: argparse.ArgumentParser, *, new: bool = True) -> None:
    parser.add_argument(
        "--output",
        type=new_folder,
        metavar="FOLDER",
        help="where to write the run (default: runs/...)",
    )
    if new:
        parser.add_argument(
            "--resume", type=Path, metavar="RUN", help="continue an interrupted run"
        )
        parser.add_argument(
            "--preset",
            metavar="NAME",
            help="a named configuration: " + ", ".join(preset_names(PRESETS)),
        )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="options from a TOML or JSON file"
    )
    for group in LANGUAGE_GROUPS.values():
        section = parser.add_argument_group(group.name, group.summary)
        for part in group.fields().values():
            add_option(section, lm_fragments.shared(part) if new else part)
    if new:
        lm_fragments.add_training(parser, LANGUAGE_GROUPS)


def _add_evaluation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split",
        choices=("train", "dev", "test"),
        help="a set of the run (default: dev)",
    )
    parser.add_argument(
        "--files", nargs="+", type=Path, metavar="FILE", help="files of text or trees, instead"
    )
    parser.add_argument(
        "--cache-window",
        type=at_least(0),
        default=0,
        metavar="N",
        help="tokens that the continuous cache remembers; 0 for no cache (default: 0)",
    )
    parser.add_argument(
        "--theta", type=float, metavar="X", help="sharpness of the cache (default: 0.3)"
    )
    parser.add_argument(
        "--lambda",
        dest="weight",
        type=float,
        metavar="X",
        help="share of the cache in the probabilities (default: 0.1)",
    )
    parser.add_argument(
        "--block",
        type=at_least(1),
        metavar="N",
        help=f"tokens computed at once, with --layout streams (default: {_BLOCK})",
    )
    parser.add_argument(
        "--batch-size",
        type=at_least(1),
        metavar="N",
        help=f"sentences or trees in a batch, without streams (default: {BATCH})",
    )


def _add_generation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prefix", default="", metavar="TEXT", help="the beginning of the text")
    parser.add_argument(
        "--length",
        type=at_least(1),
        default=200,
        metavar="N",
        help="tokens, or the largest number of fragments (default: 200)",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        metavar="X",
        help="divides the scores; 0 for the likeliest tokens (default: 1)",
    )
    parser.add_argument(
        "--top-k", type=at_least(0), metavar="N", help="likeliest tokens; 0 for all (default: 0)"
    )
    seeds = at_least(0, LARGEST_SEED)
    parser.add_argument("--seed", type=seeds, metavar="N", help="of the draws (default: 1)")
    lm_fragments.add_generation(parser)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N"
    )
    parser.add_argument(
        "--threads", type=at_least(0), default=0, metavar="N", help="0 for all cores"
    )


def run(namespace: argparse.Namespace) -> int:
    """Run an action; return the exit status."""
    action = {"train": _train, "finetune": _train, "evaluate": _evaluate, "generate": _generate}
    return action[namespace.action](namespace)


def _train(namespace: argparse.Namespace) -> int:
    from spinn.training.loop import Interruption

    resumed = getattr(namespace, "resume", None)
    try:
        if resumed is not None:
            _resume(namespace, resumed)
        elif namespace.action == "finetune":
            _finetune(namespace)
        else:
            _train_new(namespace)
    except Interruption as stopped:
        again = command("lm", "train", "--resume", str(stopped))
        logger.info(f"Stopped and saved. Go on with: {again}")
        return 130
    return 0


def _resume(namespace: argparse.Namespace, path: Path) -> None:
    from spinn.language.fragments import is_fragment_model
    from spinn.training import distributed, fragment_run, language_run

    given = _given(namespace)
    _refuse_other_options(namespace, given)
    if distributed.on_first(lambda: is_fragment_model(path)):
        lm_fragments.refuse_flags(given, FRAGMENT_GROUPS)
        fragment_run.resume_fragment_model(path, given)
    else:
        language_run.resume_language_model(path, given)


def _finetune(namespace: argparse.Namespace) -> None:
    from spinn.language.fragments import is_fragment_model
    from spinn.training import distributed, language_run

    if distributed.on_first(lambda: is_fragment_model(namespace.run_directory)):
        lm_fragments.refuse_finetuning()
    layers: dict[str, Any] = {}
    if namespace.config is not None:
        layers = read_file(namespace.config, LANGUAGE_GROUPS)
    layers |= _given(namespace)
    language_run.finetune_language_model(namespace.run_directory, layers, namespace.output)


def _train_new(namespace: argparse.Namespace) -> None:
    """Train a model of preset, file and flags, in this order."""
    from spinn.training import fragment_run, language_run

    given, preset, file = _given(namespace), namespace.preset, namespace.config
    every = Groups([*FRAGMENT_GROUPS.values(), *LANGUAGE_GROUPS.values()])
    layers = [{} if preset is None else read_preset(preset, PRESETS, every)]
    layers += [{} if file is None else read_unchecked(file, every), given]
    fragments = lm_fragments.chosen(*layers)
    if preset is not None and fragments != lm_fragments.chosen(layers[0]):
        raise ConfigurationError(f"--preset {preset} has another unit; leave out one of the two.")
    groups = FRAGMENT_GROUPS if fragments else LANGUAGE_GROUPS
    if file is not None:
        layers[1] = read_file(file, groups)
    lm_fragments.refuse_flags(given, groups)
    if fragments:
        fragment_run.train_fragment_model(FragmentConfiguration.resolve(*layers), namespace.output)
    else:
        language_run.train_language_model(LanguageConfiguration.resolve(*layers), namespace.output)


def _given(namespace: argparse.Namespace) -> dict[str, Any]:
    """Return the flags that are options of a configuration."""
    known = LANGUAGE_GROUPS.options() | FRAGMENT_GROUPS.options()
    return {name: value for name, value in vars(namespace).items() if name in known}


def _refuse_other_options(namespace: argparse.Namespace, given: dict[str, Any]) -> None:
    """Reject options besides ``--resume``, except those of where the run and its text are."""
    others = [name for name in given if name not in (*PLACE, *TEXT_FILES)]
    others += [name for name in ("output", "config", "preset") if getattr(namespace, name)]
    if others:
        flags = ", ".join(map(flag_of, others))
        raise ConfigurationError(f"--resume goes on with the run's own options; drop {flags}.")


def _load(namespace: argparse.Namespace) -> TrainedLanguageModel:
    from spinn.language.pretrained import load_language_model
    from spinn.support.runtime import choose_device, set_threads

    set_threads(namespace.threads)
    device = choose_device(namespace.device)
    trained = load_language_model(namespace.run_directory, namespace.checkpoint)
    trained.model.to(device)
    return trained


def _evaluate(namespace: argparse.Namespace) -> int:
    from spinn.language.fragments import is_fragment_model
    from spinn.language.perplexity import text_scores

    if namespace.files is not None and namespace.split is not None:
        raise ConfigurationError("--split is a set of the run; give it or --files.")
    namespace.split = namespace.split or "dev"
    if is_fragment_model(namespace.run_directory):
        return lm_fragments.evaluate(namespace)
    _check_cache(namespace)
    trained = _load(namespace)
    layout = trained.configuration.batches.layout
    if namespace.cache_window and layout == "sentences":
        raise ConfigurationError(
            "--cache-window needs a text whose sentences follow each other; this model was trained "
            "on sentences one by one. Leave it out, or train with --layout streams."
        )
    sizes = _sizes(namespace, layout)
    scores = text_scores(
        trained.model,
        _text(namespace, trained),
        layout=layout,
        **sizes,
        precision=trained.precision,
        cache=_cache(namespace),
    )
    figures = scores.as_dict()
    print(
        f"perplexity {figures['perplexity']:.3f}, loss {figures['loss']:.4f} nats "
        f"({figures['bits']:.4f} bits) a {trained.unit.name}, {scores.tokens:,} "
        f"{trained.unit.plural}"
    )
    return 0


def _sizes(namespace: argparse.Namespace, layout: str) -> dict[str, int]:
    """Return what is computed at once: a block of a text, or a batch of sentences."""
    if layout == "streams":
        sizes = {"window": namespace.block or _BLOCK}
        flag, unused = "--batch-size", namespace.batch_size
    else:
        sizes = {"size": namespace.batch_size or BATCH}
        flag, unused = "--block", namespace.block
    if unused is not None:
        raise ConfigurationError(
            f"{flag} does nothing with a model of --layout {layout}; leave it out."
        )
    return sizes


def _check_cache(namespace: argparse.Namespace) -> None:
    if not namespace.cache_window and (namespace.theta, namespace.weight) != (None, None):
        raise ConfigurationError("--theta and --lambda belong to --cache-window; give that, too.")
    if namespace.weight is not None and not 0 < namespace.weight < 1:
        raise ConfigurationError(f"--lambda is {namespace.weight}; it must be between 0 and 1.")
    if namespace.theta is not None:
        _check_range("theta", namespace.theta)


def _check_range(name: str, value: float) -> None:
    if not 0 <= value < 1e6:
        raise ConfigurationError(f"{flag_of(name)} is {value}; give a number from 0 to 1,000,000.")


def _cache(namespace: argparse.Namespace) -> Any:
    from spinn.language.perplexity import ContinuousCache

    if not namespace.cache_window:
        return None
    theta = 0.3 if namespace.theta is None else namespace.theta
    weight = 0.1 if namespace.weight is None else namespace.weight
    return ContinuousCache(namespace.cache_window, theta, weight)


def _text(namespace: argparse.Namespace, trained: TrainedLanguageModel) -> Tokens:
    """Return the tokens of the files, or of a set of the run."""
    from spinn.data.language import directed, load_text, read_tokens

    if namespace.files is not None:
        data = trained.configuration.data
        tokens = [token for path in namespace.files for token in read_tokens(path, data)]
        if len(tokens) < 2:
            raise ConfigurationError("There is no text in the files; name others.")
        return directed(trained.vocabulary.numbers(tokens), data.direction)
    corpus = load_text(trained.configuration.data, trained.vocabulary)
    if namespace.split not in corpus.sets:
        known = ", ".join(corpus.sets)
        raise ConfigurationError(f"The run has no {namespace.split} set; choose from {known}.")
    return corpus.sets[namespace.split].tokens


def _check_draws(namespace: argparse.Namespace) -> None:
    """Check how tokens are drawn, and fill in what is not given."""
    _check_range("temperature", namespace.temperature)
    for name, default in (("top_k", 0), ("seed", 1)):
        if getattr(namespace, name) is None:
            setattr(namespace, name, default)
        elif namespace.temperature == 0:
            raise ConfigurationError(
                f"{flag_of(name)} does nothing with --temperature 0, which always takes the "
                "likeliest token; leave out one of the two."
            )


def _generate(namespace: argparse.Namespace) -> int:
    from spinn.language.fragments import is_fragment_model
    from spinn.language.generation import generate

    _check_draws(namespace)
    if is_fragment_model(namespace.run_directory):
        return lm_fragments.generate(namespace)
    if namespace.count != 1:
        raise ConfigurationError("--count belongs to models over fragments; give --length.")
    trained = _load(namespace)
    if trained.configuration.data.direction == "backward":
        raise ConfigurationError(
            f"{namespace.run_directory} reads sentences from their end (--direction backward); "
            "generate with a model that reads forward."
        )
    text = generate(
        trained,
        namespace.prefix,
        length=namespace.length,
        temperature=namespace.temperature,
        top_k=namespace.top_k,
        seed=namespace.seed,
    )
    print(text)
    return 0
