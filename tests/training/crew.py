"""What the processes of the distributed tests do, and how they are started.

They are forked from a server that has everything imported, so that a test need not wait for that.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from toys import small_configuration

from spinn.commands.main import main
from spinn.config import Configuration
from spinn.evaluation import plots
from spinn.language.fragments import FragmentConfiguration
from spinn.learning.objectives.fragments import FragmentObjective
from spinn.learning.objectives.label import StepResult
from spinn.learning.objectives.language import LanguageObjective
from spinn.model.norm import GlobalBatchNorm, count_rows
from spinn.model.policy import TransitionPolicy
from spinn.support.errors import SpinnError
from spinn.support.runtime import set_threads
from spinn.training import distributed, fragment_run, language_run, run
from spinn.training.pairs import PairTask, TrainingStep
from spinn.training.run_directory import RunDirectory

PATIENCE = 60.0  # seconds; the machine may be busy
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    [
        "torch._dynamo",
        "spinn.training.run",
        "spinn.training.fragment_run",
    ]
)


class Crew:
    """Processes that torchrun might have started, each doing the same."""

    def __init__(self, count: int, act: Callable[..., None], *arguments: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.members = [
            _forks.Process(target=_live, args=(rank, count, port, act, arguments), daemon=True)
            for rank in range(count)
        ]
        for member in self.members:
            member.start()

    def statuses(self, frozen: int | None = None) -> list[int | None]:
        """Wait for all but the frozen one; return exit statuses, ``None`` of one that hangs."""
        end = time.monotonic() + PATIENCE
        for rank, member in enumerate(self.members):
            if rank == frozen:
                continue
            member.join(max(0.0, end - time.monotonic()))
        found = [member.exitcode for member in self.members]
        for member in self.members:
            member.kill()
        return found

    def signal(self, rank: int, number: signal.Signals) -> None:
        pid = self.members[rank].pid
        assert pid is not None
        os.kill(pid, number)


def all_well(count: int, act: Callable[..., None], *arguments: Any) -> None:
    """Let so many processes act, and see that they end well."""
    assert Crew(count, act, *arguments).statuses() == [0] * count


def _live(
    rank: int, count: int, port: int, act: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    set_threads(1)
    plots.plot_learning_curve = lambda *arguments: None  # takes longer than all the rest
    act(*arguments)


# What they do.


def on_cpu(folder: Path, **options: Any) -> Configuration:
    """Configure a small run that stays on the CPU, wherever other tests are."""
    return small_configuration(folder, device="cpu", **options)


def train(folder: Path, path: Path, options: dict[str, Any]) -> None:
    with distributed.joined():
        run.train(on_cpu(folder, **options), path)


def train_languages(runs: list[tuple[Path, Any]]) -> None:
    """Train language models, of configurations or, fine-tuning, of a run and its options."""
    with distributed.joined():
        for path, options in runs:
            if isinstance(options, tuple):
                language_run.finetune_language_model(*options, path)
            elif isinstance(options, FragmentConfiguration):
                fragment_run.train_fragment_model(options, path)
            else:
                language_run.train_language_model(options, path)


def _threads() -> list[str]:
    """List the threads of this process by name, where the system tells."""
    tasks = Path("/proc/self/task")
    return [(task / "comm").read_text() for task in tasks.iterdir()] if tasks.exists() else []


def train_in_turn(folder: Path, runs: list[tuple[Path, dict[str, Any]]]) -> None:
    with distributed.joined():
        for path, options in runs:
            run.train(on_cpu(folder, **options), path)
    assert not any("gloo" in name for name in _threads())  # they might abort the process later


def train_greedily(folder: Path, runs: list[tuple[Path, dict[str, Any]]]) -> None:
    """Train with the most probable trees in place of sampled ones."""
    TransitionPolicy.sample = TransitionPolicy.argmax  # type: ignore[method-assign, assignment]
    train_in_turn(folder, runs)


def resume(path: Path) -> None:
    with distributed.joined():
        run.resume(path)


def command(folder: Path, arguments: list[str], prepare: Callable[..., None] | None = None) -> None:
    """Call the command line, what it says going to files; ``prepare`` may spoil something first."""
    rank = int(os.environ["RANK"])
    if prepare is not None:
        prepare(rank, folder)
    for stream, name in ((sys.stdout, "out"), (sys.stderr, "err")):
        file = os.open(folder / f"{name}{rank}", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, stream.fileno())
    sys.exit(main(arguments))


def note_saves(rank: int, folder: Path) -> None:
    """Note each checkpoint that is saved, and by whom."""
    save = RunDirectory.save

    def noted(self: RunDirectory, step: int, *arguments: Any, **keywords: Any) -> None:
        with open(folder / "saves", "a") as stream:
            stream.write(f"{rank} {step}\n")
        save(self, step, *arguments, **keywords)

    RunDirectory.save = noted  # type: ignore[method-assign]


def forbid_writing(rank: int, folder: Path) -> None:
    """Let no process but the first change anything in the folder, its own output excepted."""
    changes = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree"}

    def watch(event: str, details: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = details
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR)) or bool(set(mode or "") & set("wax+"))
        elif event in changes:
            path, writes = details[0], True
        else:
            return
        if writes and isinstance(path, (str, os.PathLike)):
            inside = Path(path).is_relative_to(folder)
            if inside and Path(path).name not in (f"out{rank}", f"err{rank}"):
                os._exit(66)

    if rank > 0:
        sys.addaudithook(watch)


def poison_last(rank: int, folder: Path) -> None:
    """Let the loss of the last process be no number in the eighth step, its gradients be well."""

    def poisoned(result: StepResult) -> StepResult:
        result.loss.data.fill_(torch.nan)
        return result

    _in_eighth_step_of_last(rank, poisoned)


def crash_last(rank: int, folder: Path) -> None:
    """Let the last process fail in the eighth step, as no process should."""
    distributed._ANSWER = timedelta(seconds=2)

    def crash(result: StepResult) -> StepResult:
        raise MemoryError

    _in_eighth_step_of_last(rank, crash)


def freeze(rank: int, folder: Path, frozen: int = 1) -> None:
    """Freeze a process in the eighth step; the others wait three seconds."""
    distributed._STEP = timedelta(seconds=3)
    distributed._ANSWER = timedelta(seconds=2)

    def stop(result: StepResult) -> StepResult:
        os.kill(os.getpid(), signal.SIGSTOP)
        return result

    _in_eighth_step_of(frozen, rank, stop)


def freeze_first(rank: int, folder: Path) -> None:
    """Freeze rank 0, which keeps the store and prints messages."""
    freeze(rank, folder, 0)


def slow_evaluation(rank: int, folder: Path) -> None:
    """Let evaluation take longer than the others wait in a step."""
    distributed._STEP = timedelta(seconds=2)
    evaluate = PairTask.evaluate

    def slow(self: PairTask) -> dict[str, float]:
        time.sleep(2.5)
        return evaluate(self)

    PairTask.evaluate = slow  # type: ignore[method-assign]


def kill_second(rank: int, folder: Path) -> None:
    """Kill the second process in the eighth step."""
    distributed._ANSWER = timedelta(seconds=2)
    _in_eighth_step_of(1, rank, lambda result: os.kill(os.getpid(), signal.SIGKILL))


def stop_last(rank: int, folder: Path) -> None:
    """Let a person stop the last process in the eighth step."""
    for step in (TrainingStep, LanguageObjective, FragmentObjective):
        _in_eighth_step_of(-1, rank, _interrupt, step)


def _interrupt(result: StepResult) -> StepResult:
    signal.raise_signal(signal.SIGINT)
    return result


def _in_eighth_step_of_last(rank: int, change: Callable[[StepResult], StepResult]) -> None:
    _in_eighth_step_of(-1, rank, change)


def _in_eighth_step_of(
    which: int,
    rank: int,
    change: Callable[[StepResult], Any],
    step: type[torch.nn.Module] = TrainingStep,
) -> None:
    made, forward = 0, step.forward

    def changed(self: torch.nn.Module, *arguments: Any) -> StepResult:
        nonlocal made
        made += 1
        result = forward(self, *arguments)
        return change(result) if made == 8 else result

    if rank == range(int(os.environ["WORLD_SIZE"]))[which]:
        step.forward = changed  # type: ignore[method-assign]


def check_norm(sizes: list[int], idle: bool) -> None:
    """Compare batch normalisation of rows, so many in each process, with torch's over all rows."""
    with distributed.joined():
        torch.manual_seed(5)
        own, whole = GlobalBatchNorm(4).double(), torch.nn.BatchNorm1d(4).double()
        with torch.no_grad():
            own.weight.copy_(torch.randn(4))
            own.bias.copy_(torch.randn(4))
        whole.load_state_dict(own.state_dict())
        for step in range(3):
            parts = list((3 * torch.randn(sum(sizes), 4).double() + step).split(sizes))
            factors = list(torch.randn(sum(sizes), 4).double().split(sizes))
            mine = _normalised(own, parts, factors, idle)
            counted = slice(None, -1) if idle else slice(None)
            expected = _reference(whole, parts[counted], factors[counted])
            rank = distributed.rank()
            for name, value in mine.items():
                of_rank = expected[name].split(sizes[counted]) if name in ("out", "rows") else None
                if of_rank is None:
                    torch.testing.assert_close(value, expected[name], rtol=1e-12, atol=1e-12)
                elif rank < len(of_rank):
                    torch.testing.assert_close(value, of_rank[rank], rtol=1e-12, atol=1e-12)
        for name, value in whole.state_dict().items():
            torch.testing.assert_close(own.state_dict()[name], value, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(own.eval()(parts[0]), whole.eval()(parts[0]))


def _normalised(
    norm: GlobalBatchNorm, parts: list[Tensor], factors: list[Tensor], idle: bool
) -> dict[str, Tensor]:
    """Run this process's part; the last process's does not count if it is ``idle``."""
    rank = distributed.rank()
    stands_in = idle and rank == distributed.world_size() - 1
    count_rows(norm, not stands_in)
    rows = parts[rank].clone().requires_grad_()
    out = norm(rows)
    norm.zero_grad()
    (out * factors[rank] * (0.0 if stands_in else 1.0)).square().sum().backward()
    assert norm.weight.grad is not None
    assert norm.bias.grad is not None
    gradients = {"weight": norm.weight.grad, "bias": norm.bias.grad}
    return {
        "out": out.detach(),
        "rows": rows.grad if rows.grad is not None else torch.empty(0),
        **{name: distributed.all_sum(gradient) for name, gradient in gradients.items()},
    }


def _reference(
    norm: torch.nn.BatchNorm1d, parts: list[Tensor], factors: list[Tensor]
) -> dict[str, Tensor]:
    rows = torch.cat(parts).requires_grad_()
    out = norm.train(len(rows) > 1)(rows)  # a row alone is normalised as in evaluation
    norm.zero_grad()
    (out * torch.cat(factors)).square().sum().backward()
    assert rows.grad is not None
    assert norm.weight.grad is not None
    assert norm.bias.grad is not None
    return {
        "out": out.detach(),
        "rows": rows.grad,
        "weight": norm.weight.grad,
        "bias": norm.bias.grad,
    }


def draw(folder: Path) -> None:
    """Write down numbers as a process draws them in four steps."""
    with distributed.joined():
        torch.manual_seed(3)
        drawn = []
        for step in range(4):
            distributed.seed_step(3, step)
            drawn.append(torch.rand(5))
        torch.save(torch.stack(drawn), folder / f"drawn{distributed.rank()}")


def fail_somewhere(folder: Path) -> None:
    """Let one process after the other fail; write down what each hears of it."""
    heard = []

    def fail(failing: int) -> int:
        if distributed.rank() == failing:
            raise SpinnError(f"process {failing} failed")
        return distributed.rank()

    with distributed.joined():
        for failing in range(distributed.world_size()):
            for act in (distributed.together, distributed.in_turn):
                heard.append(_error_of(lambda act=act, failing=failing: act(lambda: fail(failing))))
        heard.append(_error_of(lambda: distributed.on_first(lambda: fail(0))))
        assert distributed.on_first(lambda: fail(1)) == 0
        assert distributed.together(lambda: fail(99)) == distributed.rank()
        assert distributed.in_turn(lambda: fail(99)) == distributed.rank()
        (folder / f"heard{distributed.rank()}").write_text("\n".join(heard))


def _error_of(act: Callable[[], Any]) -> str:
    try:
        act()
    except SpinnError as error:
        return str(error)
    return "nothing"
