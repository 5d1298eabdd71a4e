"""What ``import spinn`` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import spinn
from spinn.predictor import Predictor

ROOT = Path(__file__).parents[1]


def test_importing_the_package_loads_no_library():
    code = (
        "import sys, spinn; "
        "print([n for n in ('torch', 'numpy', 'spacy') if n in sys.modules], dir(spinn)); "
        "from spinn import *; print(SPINNEncoder.__name__, load.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("[] ")
    assert all(repr(name) in first for name in spinn.__all__)
    assert second == "SPINNEncoder load"


def test_all_names_are_there():
    assert all(getattr(spinn, name).__doc__ for name in spinn.__all__)
    assert spinn.load == Predictor.load
    with pytest.raises(AttributeError, match="no attribute 'lead'"):
        _ = spinn.lead
