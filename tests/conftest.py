"""What all tests share: one thread, a repeatable Hypothesis profile, the real data if present."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from spinn.runtime import set_threads

# Also warms up tanh, exp and log, whose first large call in a process may be slightly wrong.
set_threads(1)

settings.register_profile(
    "repeatable",
    deadline=None,
    max_examples=50,
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
