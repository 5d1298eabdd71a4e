"""Kill training at random moments, resume it, and compare the run with one that was not killed.

By hand: ``python tests/training/kill.py --kills 100 --seed 7``. The processes are forked from a
server that has everything imported, and killed by SIGKILL: half of them after a random time, half
of them at a random change of a file (a file opened, renamed or removed), where time alone would
seldom hit. Training saves at every step or two, so that it is mostly writing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from safetensors.torch import load_file
from toys import FORMS, small_configuration, write_corpus

from spinn.evaluation import plots
from spinn.pretrained import checkpoint_names
from spinn.support.runtime import set_threads
from spinn.training import run
from spinn.training.run_directory import RunDirectory

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["torch._dynamo", "torchtext.data", "spinn.training.run"])
_CHANGES = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}
OPTIONS: tuple[dict[str, Any], ...] = (
    {"checkpoint_steps": 1, "log_steps": 1, "schedule": "plateau"},
    {"checkpoint_steps": 2, "log_steps": 2, "embedding_dropout": 0.3, "baseline": "mean"}
    | FORMS["RL-SPINN"],
)


def live(corpus: Path, path: Path, options: dict[str, Any], change: int | None) -> None:
    """Train, or resume; end at the given change of a file in the folder of the run."""
    left = change

    def watch(event: str, details: tuple[Any, ...]) -> None:
        nonlocal left
        if left is None or event not in _CHANGES or not isinstance(details[0], (str, Path)):
            return
        if str(details[0]).startswith(str(path)):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    set_threads(1)
    plots.plot_learning_curve = lambda *arguments: None  # takes longer than all the rest
    if (path / "checkpoints.json").exists():
        run.resume(path)
    else:  # the message of an interrupted run gives this advice
        run.train(small_configuration(corpus, device="cpu", **options), path)


def perform(kill_after: float | None, *arguments: Any) -> bool:
    """Run :func:`live` in a process; return whether it was killed."""
    process = _forks.Process(target=live, args=arguments)
    process.start()
    process.join(kill_after)
    if process.is_alive():
        process.kill()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise AssertionError(f"the process ended with status {process.exitcode}")
    return process.exitcode != 0


def steps(path: Path) -> int:
    """Return the step of the last checkpoint, which must be complete; 0 if there is none."""
    if not (path / "checkpoints.json").exists():
        return 0
    opened = RunDirectory.open(path)
    for which in checkpoint_names(path):
        opened.weights(which)
    return int(opened.training_state()["progress"]["step"])


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the metrics without times; every line must be complete."""
    found = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "speed")} for line in found]


def assert_same(one: Path, other: Path) -> None:
    """Compare two finished runs: weights to the bit, metrics, results and names of files."""
    assert lines(one) == lines(other)
    repeated = Counter((line["kind"], line["step"]) for line in lines(one))
    assert set(repeated.values()) == {1}
    results = [json.loads((path / "results.json").read_text()) for path in (one, other)]
    assert len({json.dumps(each | {"seconds": 0}) for each in results}) == 1
    for which in ("best", "last"):
        weights = [
            load_file(RunDirectory.open(path).checkpoint(which) / "weights.safetensors")
            for path in (one, other)
        ]
        assert weights[0].keys() == weights[1].keys()
        for name, value in weights[0].items():
            assert value.numpy().tobytes() == weights[1][name].numpy().tobytes(), name
    names = [sorted(file.name.split("-")[0] for file in path.rglob("*")) for path in (one, other)]
    assert names[0] == names[1]  # nothing half written is left; a checkpoint is step-N or step-N-2


def kill_and_resume(
    folder: Path, kills: int, seed: int, say: Callable[[str], None] = lambda line: None
) -> int:
    """Kill this number of processes; return the number of runs that were completed on the way."""
    moments, corpus = random.Random(seed), write_corpus(folder / "corpus", train=24, held_out=8)
    wholes, durations = [], []
    for number, options in enumerate(OPTIONS):
        begun = time.monotonic()
        wholes.append(folder / f"whole{number}")
        assert not perform(None, corpus, wholes[-1], options, None)
        durations.append(time.monotonic() - begun)
    done = runs = 0
    while done < kills:
        number = runs % len(OPTIONS)
        path, killed, reached = folder / f"run{runs}", True, 0
        while killed:
            after, change = None, None
            if done < kills and moments.random() < 0.5:
                after = moments.uniform(0, durations[number])
            elif done < kills:
                change = moments.randrange(60)
            killed = perform(after, corpus, path, OPTIONS[number], change)
            done += killed
            assert steps(path) >= reached, "a checkpoint was lost"
            reached = steps(path)
            when = f"after {after:.3f} s" if after is not None else f"at change {change}"
            say(f"run {runs}: {f'killed {when}' if killed else 'completed'}, step {reached}")
        assert_same(path, wholes[number])
        shutil.rmtree(path)
        runs += 1
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = kill_and_resume(Path(folder), options.kills, options.seed, print)
    print(f"{options.kills} kills, {runs} runs: all equal to those that were not killed.")


if __name__ == "__main__":
    main()
