"""Several processes that train one model, as ``torchrun`` starts them.

Each process, a rank, has the whole model and sees its share of every batch. What makes one step of
their steps lies in four places: the data are shared out by :class:`spinn.data.batching.Batcher`;
means over a batch are made of parts here (:func:`part_of_mean`); batch normalisation sums over all
(:mod:`spinn.model.norm`); and torch's DistributedDataParallel averages the gradients.

Everything else is done by the first process for all (:func:`on_first`): writing, evaluating,
speaking. What may fail in one process alone is done so that all learn of it (:func:`together`),
since one that stops by itself leaves the others waiting. In a single process, all functions here
do what their names say without speaking to anybody.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from spinn.errors import ConfigurationError, SpinnError, of_system
from spinn.ops.allreduce import all_sum, world_size

T = TypeVar("T")
# The first process may be reading a corpus, or evaluating, for as long as this.
_PATIENCE = timedelta(hours=2)


# Who there is.


def rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if world_size() > 1 else 0


def is_first() -> bool:
    """Tell whether this is the process that writes and speaks."""
    return rank() == 0


def local_rank() -> int:
    """Return the number of this process on its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", rank())) if world_size() > 1 else 0


def local_world_size() -> int:
    """Count the processes on this machine."""
    if world_size() == 1:
        return 1
    return int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))


@contextmanager
def joined() -> Iterator[None]:
    """Be one of the processes that ``torchrun`` started; leave when all do.

    All but the first are mute meanwhile: what they have to say, the first says.

    Raises
    ------
    SpinnError
        If the processes do not find each other.

    """
    # DistributedDataParallel imports this later. Imported while a group is up, it holds on to the
    # group; whose threads, left to the end of the interpreter, now and then abort the process.
    import torch._dynamo

    on_gpus = torch.cuda.is_available() and distributed.is_nccl_available()
    try:
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpus else "gloo", timeout=_PATIENCE
        )
    except (ValueError, RuntimeError) as error:
        raise SpinnError(
            f"The processes do not find each other ({error}). Start them with torchrun."
        ) from error
    try:
        with _mute_unless_first():
            try:
                yield
            except SystemExit:  # of the argument parser, in all processes alike
                any_true(False)
                raise
            # One that leaves makes torchrun end the others, perhaps before they have spoken.
            any_true(False)
    finally:
        gc.collect()  # a wrapped model that lingers holds on to the group as well
        distributed.destroy_process_group()


@contextmanager
def _mute_unless_first() -> Iterator[None]:
    if is_first():
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def own_device(device: torch.device) -> torch.device:
    """Give each process of a machine a GPU of its own, where GPUs are asked for.

    Raises
    ------
    ConfigurationError
        If there are too few, or one of them was named.

    """
    if world_size() == 1 or device.type != "cuda":
        return device
    if device.index is not None:
        raise ConfigurationError(
            f"--device {device} would put all processes on one GPU; give --device cuda."
        )
    if local_world_size() > torch.cuda.device_count():
        raise ConfigurationError(
            f"There are {local_world_size()} processes and {torch.cuda.device_count()} GPUs on "
            "this machine; start as many processes as GPUs, or give --device cpu."
        )
    own = torch.device("cuda", local_rank())
    torch.cuda.set_device(own)
    return own


# Doing things for all, or in all.


def on_first(act: Callable[[], T]) -> T:
    """Let the first process do something; return what it returned in all of them.

    Raises
    ------
    SpinnError
        In all of them, if it raised one, or was refused a file.

    """
    if world_size() == 1:
        return act()
    outcome: list[Any] = [None, None]
    if is_first():
        try:
            outcome[0] = _told(act)
        except SpinnError as error:
            distributed.broadcast_object_list([None, str(error)], device=torch.device("cpu"))
            raise
    distributed.broadcast_object_list(outcome, device=torch.device("cpu"))
    if outcome[1] is not None:
        raise SpinnError(outcome[1])
    return cast(T, outcome[0])


def _told(act: Callable[[], T]) -> T:
    """Do something, of which the others are told also when the system refuses a file."""
    try:
        return act()
    except OSError as error:
        raise of_system(error) from error


def together(act: Callable[[], T]) -> T:
    """Do something in every process.

    Raises
    ------
    SpinnError
        In all of them, if any of them raised one.

    """
    if world_size() == 1:
        return act()
    result, error = None, None
    try:
        result = _told(act)
    except SpinnError as raised:
        error = raised
    errors: list[str | None] = [None] * world_size()
    distributed.all_gather_object(errors, None if error is None else str(error))
    if error is not None:
        raise error
    for message in errors:
        if message is not None:
            raise SpinnError(message)
    return cast(T, result)


def in_turn(act: Callable[[], T]) -> T:
    """Do something in every process, first in one of each machine, so that it can fill a cache.

    Raises
    ------
    SpinnError
        As :func:`together` does.

    """
    early = together(lambda: act() if local_rank() == 0 else None)
    late = together(lambda: act() if local_rank() > 0 else None)
    return cast(T, early if local_rank() == 0 else late)


def any_true(flag: bool) -> bool:
    """Tell whether the flag is set in any process; this also waits for all of them."""
    return bool(all_sum(torch.tensor(float(flag))) > 0)


# Figures.


def part_of_mean(values: Tensor) -> Tensor:
    """Divide the sum of this process's values by the number of all: the parts make up the mean.

    A process may have no values.
    """
    if world_size() == 1:
        return values.mean()
    count = all_sum(values.new_tensor(values.numel(), dtype=torch.float32))
    return values.sum() / count.clamp(min=1)


def mean(values: Tensor) -> Tensor:
    """Average values over all processes."""
    return all_sum(part_of_mean(values))


def totals(parts: Mapping[str, Tensor], device: torch.device) -> dict[str, float]:
    """Add up scalar figures over all processes, which have to have the same ones."""
    values = [part.to(device, torch.float64) for part in parts.values()]
    return dict(zip(parts, all_sum(torch.stack(values)).tolist(), strict=True))


# Steps.


def summed(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Add up over all processes gradients of losses that are parts of one."""
    if world_size() == 1:
        return list(gradients)
    flat = all_sum(torch.cat([gradient.flatten() for gradient in gradients]))
    sizes = [gradient.numel() for gradient in gradients]
    parts = zip(flat.split(sizes), gradients, strict=True)
    return [part.view_as(gradient) for part, gradient in parts]


def data_parallel(step: nn.Module) -> nn.Module:
    """Let backward passes through a module leave averaged gradients, in processes alike.

    Every weight has to get a gradient in every process.
    """
    if world_size() == 1:
        return step
    # In one piece, when the last gradient is there: batch normalisation, too, speaks to the other
    # processes during a backward pass, and all must hear of everything in one order.
    size = sum(weight.numel() * weight.element_size() for weight in step.parameters())
    with warnings.catch_warnings():
        # Newer versions of torch have another name for one of these, older ones only this.
        warnings.simplefilter("ignore", FutureWarning)
        return DistributedDataParallel(
            step, broadcast_buffers=False, bucket_cap_mb=1 + size // 2**20
        )


def seed_step(seed: int, step: int) -> None:
    """Seed what a process other than the first draws in a step.

    The first draws on from where it is, as a single process does, and a checkpoint keeps its state.
    The others need none: their numbers depend on the seed, the step and the rank alone.
    """
    if not is_first():
        words = np.random.SeedSequence([seed, rank(), step]).generate_state(1, np.uint64)
        torch.manual_seed(int(words[0]))
