"""What all tests share: one thread, a device, a repeatable Hypothesis profile, the real data."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from substitute import stand_in

from spinn import extensions
from spinn.support.errors import ConfigurationError
from spinn.support.runtime import set_threads

# Also warms up tanh, exp and log, whose first large call in a process may be slightly wrong.
set_threads(1)
# Products of fewer bits would be all that some tests on a GPU find.
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

stand_in()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``--device`` name the device of tests of tensors, models and runs."""
    parser.addoption("--device", default="cpu", metavar="NAME", help="cpu, cuda or cuda:N")
    parser.addoption("--shard", default="1/1", metavar="I/N", help="every N-th test from the I-th")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of this shard."""
    index, count = map(int, config.getoption("--shard").split("/"))
    items[:] = items[index - 1 :: count]


def pytest_configure(config: pytest.Config) -> None:
    """Tell :mod:`machine` the device, here and in all processes that tests start."""
    os.environ["SPINN_TEST_DEVICE"] = config.getoption("--device")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for products that repeat
    if "machine" in sys.modules:
        raise RuntimeError("a conftest.py imports what knows the device before it is known")
    try:
        machine = importlib.import_module("machine")
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    extensions.load()  # tests name them, whichever runs first
    settings.register_profile(
        "repeatable",
        deadline=None,
        max_examples=machine.examples(50),
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("repeatable")


SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Give the folder of real corpora and vectors, or skip the test."""
    if not SHARED.is_dir():
        pytest.skip("the real data (../shared/data) are not there")
    return SHARED
