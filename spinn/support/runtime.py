"""Threads, device, precision, evaluation mode and signal handling of a run."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from spinn.support.errors import ConfigurationError, SpinnError

logger = logging.getLogger(__name__)
T = TypeVar("T")


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(count: int, *, processes: int = 1) -> None:
    """Set the number of threads; 0 divides the available cores between the processes."""
    torch.set_num_threads(count or max(1, available_cores() // processes))
    # The first large two-threaded tanh, exp or log of a process is sometimes slightly wrong in one
    # thread's half (pytorch/pytorch#188792); a small call of each beforehand prevents it.
    small = torch.ones(64)
    torch.tanh(small), torch.exp(small), torch.log(small), torch.sigmoid(small)


def choose_device(name: str) -> torch.device:
    """Return the device named ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ConfigurationError
        If this machine has no such device.

    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigurationError(
            f"--device cannot be {name!r}; give auto, cpu or cuda:N."
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigurationError(f"--device cannot be {name!r}; give auto, cpu or cuda:N.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(f"--device {name}: there is no GPU here; give --device cpu.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigurationError(f"--device {name}: there is no such GPU; give --device cuda.")
    return device


def arithmetic(device: torch.device, precision: str) -> torch.autocast:
    """Return the autocast context for a precision.

    ``auto`` means bf16 on devices that support it in hardware, and fp32 on others. It depends on
    the device, not on a measurement, so it is the same in every run.
    """
    bf16 = precision == "bf16" or (precision == "auto" and has_fast_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


def has_fast_bf16(device: torch.device) -> bool:
    """Return whether a device has hardware support for matrix products in bf16."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # AVX-512 or AMX; other processors emulate bf16. Not every build of torch has these functions.
    supported = (
        getattr(torch.cpu, name, lambda: False)()
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return any(supported)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether torch could not allocate memory, on a GPU or for the processor."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def within_memory(run: Callable[[int], T], size: int, device: torch.device, unit: str) -> T:
    """Run with this size, or with half of it until the work fits into memory.

    Parameters
    ----------
    run
        Function of the size; it is run again from the beginning.
    size
        What is computed at once.
    device
        The device, for messages.
    unit
        What the size counts, such as ``"examples"``.

    Raises
    ------
    SpinnError
        If not even a size of 1 fits.

    """
    while True:
        try:
            return run(size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise SpinnError(
                    f"The memory of {device} is too small for one of the {unit}. Leave out the "
                    "longest sentences, or choose another --device."
                ) from error
        size //= 2
        logger.warning(f"Out of memory; going on with {size} {unit} at a time.")


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Run the block with a model in evaluation mode and without gradients."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


# Ctrl-C, a termination, a closed terminal, the warning of a scheduler before its time limit. Not
# every system has all of them.
_STOP_SIGNALS = [
    signal.Signals[name]
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2")
    if hasattr(signal, name)
]
_COUNTED_ONCE = ("SIGHUP", "SIGUSR2")  # several senders may stop one process


@contextmanager
def stopped_by_signals(ask: Callable[[], None]) -> Iterator[None]:
    """Handle SIGINT, SIGTERM, SIGHUP and SIGUSR2 while the block runs.

    A SIGHUP or SIGUSR2 after another signal has no effect, because a closed terminal or a scheduler
    sends several. A process that ignores SIGHUP, as under ``nohup``, continues to do so. If the
    program had a handler for SIGUSR2 before, as the jobs of ``submitit`` have, it is called after
    the block.

    Parameters
    ----------
    ask
        Called for each signal. It is never called if this is not the main thread, because only the
        main thread can set signal handlers.

    """
    before: dict[signal.Signals, Any] = {}
    received: set[str] = set()

    def handle(number: int, frame: object) -> None:
        name = signal.Signals(number).name
        is_counted = not received or name not in _COUNTED_ONCE
        received.add(name)
        if is_counted:
            ask()

    try:
        for number in _STOP_SIGNALS:
            if number.name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN:
                continue
            before[number] = signal.signal(number, handle)
    except ValueError:
        pass  # not the main thread
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if "SIGUSR2" in received and callable(signal.getsignal(signal.SIGUSR2)):
            signal.raise_signal(signal.SIGUSR2)
