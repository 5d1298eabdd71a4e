"""The machine: how many threads are used, and which devices may be named."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import torch
from machine import OUT_OF_MEMORY

from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.runtime import (
    arithmetic,
    choose_device,
    has_fast_bf16,
    set_threads,
    stopped_by_signals,
    within_memory,
)


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 2])
def test_so_many_threads_are_used_as_are_asked_for(count):
    set_threads(count)
    assert torch.get_num_threads() == count


def test_zero_threads_means_as_many_as_this_process_may_use():
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot tell which processors a process may use")
    allowed = os.sched_getaffinity(0)
    try:
        for use in ({min(allowed)}, allowed):
            os.sched_setaffinity(0, use)
            set_threads(0)
            assert torch.get_num_threads() == len(use)
    finally:
        os.sched_setaffinity(0, allowed)


def test_setting_threads_draws_nothing():
    before = torch.get_rng_state()
    set_threads(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_processor_can_always_be_named():
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "mps", "meta", "CPU"])
def test_other_names_are_refused(name):
    with pytest.raises(ConfigurationError, match=r"--device cannot be .*; give auto, cpu or cuda"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=r"there is no GPU here; give --device cpu\."):
        choose_device(name)


def test_a_gpu_with_too_high_a_number_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    assert choose_device("cuda") == torch.device("cuda")
    with pytest.raises(ConfigurationError, match="there is no such GPU"):
        choose_device("cuda:2")


@pytest.mark.parametrize(
    ("precision", "units", "expected"),
    [
        ("fp32", True, torch.float32),
        ("bf16", False, torch.bfloat16),
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
    ],
)
def test_products_run_in_the_precision_asked_for(monkeypatch, precision, units, expected):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: units, raising=False)
    one = torch.ones(2, 2)
    with arithmetic(torch.device("cpu"), precision):
        assert (one @ one).dtype == expected


def test_a_torch_that_cannot_tell_its_units_stays_with_fp32(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not has_fast_bf16(torch.device("cpu"))


# Signals.


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """Handle the signals within a test; collect the calls."""
    calls: list[str] = []
    with stopped_by_signals(lambda: calls.append("stop")):
        yield calls


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2])
def test_each_signal_asks_to_stop(asked, number):
    signal.raise_signal(number)
    assert asked == ["stop"]


def test_a_closed_terminal_asks_once_however_many_signals_it_sends(asked):
    signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGHUP)
    assert asked == ["stop"]
    signal.raise_signal(signal.SIGINT)
    assert asked == ["stop", "stop"]


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGUSR2])
def test_a_scheduler_asks_once_and_its_own_handler_is_called_in_the_end(first):
    calls: list[str] = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: calls.append("requeue"))
    try:
        with stopped_by_signals(lambda: calls.append("stop")):
            signal.raise_signal(first)
            signal.raise_signal(signal.SIGUSR2)
            assert calls == ["stop"]
        assert calls == ["stop", "requeue"]
        with stopped_by_signals(lambda: calls.append("stop")):
            signal.raise_signal(signal.SIGTERM)
        assert calls == ["stop", "requeue", "stop"]
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_process_under_nohup_goes_on_without_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_by_signals(lambda: pytest.fail("it was stopped")):
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@OUT_OF_MEMORY
@pytest.mark.parametrize("room", [100, 12, 3, 1])
def test_work_is_halved_until_it_fits(error, room, caplog):
    def run(size: int) -> int:
        if size > room:
            raise error
        return size

    found = within_memory(run, 100, torch.device("cpu"), "trees")
    assert room / 2 < found <= room
    assert f"going on with {found} trees at a time" in caplog.text or found == 100
    with pytest.raises(SpinnError, match="The memory of cpu is too small for one of the trees"):
        within_memory(lambda size: run(size + room), 100, torch.device("cpu"), "trees")


def test_another_error_is_raised():
    def run(size: int) -> int:
        raise RuntimeError("another")

    with pytest.raises(RuntimeError, match="another"):
        within_memory(run, 100, torch.device("cpu"), "trees")
