"""The tests of model, operations, training and evaluation, with their tensors on the device.

The folders are tested side by side, each by a pytest of its own, since small tests leave a GPU
idle. Counts, and what failed, go into the record.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.gpu.program import Part, run_part

REPOSITORY = Path(__file__).parents[2]
GROUPS: dict[str, list[str]] = {
    "ops": ["tests/ops"],
    "encoder": ["tests/model/test_spinn.py"],
    "model": ["tests/model", "tests/extensions", "--ignore=tests/model/test_spinn.py"],
    "training": ["tests/training", "--ignore=tests/training/test_distributed.py"],
    "evaluation": ["tests/evaluation"],
}
QUICK: dict[str, list[str]] = {
    "ops": ["tests/ops/test_lstm.py"],
    "model": ["tests/model/test_policy.py"],
}
SHOWN = 3000  # characters of a failure


def main(part: Part) -> None:
    """Start all groups, wait for them, and record what they found."""
    groups = QUICK if part.quick else GROUPS
    with tempfile.TemporaryDirectory() as folder:
        running = {name: _start(paths, part, Path(folder, name)) for name, paths in groups.items()}
        begun = time.monotonic()
        while running:
            for name, process in list(running.items()):
                over = not part.time_left()
                if process.poll() is None and not over:
                    continue
                process.kill()
                process.wait()
                del running[name]
                seconds = round(time.monotonic() - begun, 1)
                found = _read(Path(folder, f"{name}.xml"))
                log = Path(folder, f"{name}.log").read_text(encoding="utf-8", errors="replace")
                if found is None:
                    found = {"end_of_output": log[-SHOWN:]}
                part.add("groups", {"name": name, "seconds": seconds, **found})
            time.sleep(0.2)


def _start(paths: list[str], part: Part, place: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", *paths, "-q", "-p", "no:cacheprovider"]
    command += [f"--device={part.device}", f"--junitxml={place}.xml", "--tb=short"]
    with open(f"{place}.log", "wb") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)


def _read(report: Path) -> dict[str, Any] | None:
    """Read counts and failures of a group; ``None`` if it did not finish."""
    if not report.is_file():
        return None
    cases = list(ElementTree.parse(report).iter("testcase"))
    failures, skipped = [], 0
    for case in cases:
        skipped += case.find("skipped") is not None
        for kind in ("failure", "error"):
            problem = case.find(kind)
            if problem is not None:
                name = f"{case.get('classname')}::{case.get('name')}"
                failures.append({"test": name, "told": (problem.text or "")[-SHOWN:]})
    passed = len(cases) - skipped - len(failures)
    return {
        "passed": passed,
        "skipped": skipped,
        "failed": len(failures),
        "failures": failures,
    }


if __name__ == "__main__":
    run_part(main)
