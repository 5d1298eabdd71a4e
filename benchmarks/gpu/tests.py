"""Run the tests of model, operations, training and evaluation with tensors on the device.

The groups run in parallel, each in a separate pytest process, since small tests do not use a whole
GPU. The record contains counts and failures.
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
    "encoder": ["tests/model/test_encoder.py"],
    "model": ["tests/model", "--ignore=tests/model/test_encoder.py"],
    "training": ["tests/training", "--ignore=tests/training/test_distributed.py"],
    "evaluation": ["tests/evaluation"],
}
QUICK: dict[str, list[str]] = {
    "ops": ["tests/ops/test_lstm.py"],
    "model": ["tests/model/test_policy.py"],
}
SHOWN = 3000  # number of characters shown of a failure


def main(part: Part) -> None:
    """Start all groups, wait for them, and record their results."""
    groups = QUICK if part.quick else GROUPS
    with tempfile.TemporaryDirectory() as folder:
        running = {name: _start(paths, part, Path(folder, name)) for name, paths in groups.items()}
        start = time.monotonic()
        while running:
            for name, process in list(running.items()):
                over = not part.time_left()
                if process.poll() is None and not over:
                    continue
                process.kill()
                process.wait()
                del running[name]
                seconds = round(time.monotonic() - start, 1)
                result = _read(Path(folder, f"{name}.xml"))
                log = Path(folder, f"{name}.log").read_text(encoding="utf-8", errors="replace")
                if result is None:
                    result = {"end_of_output": log[-SHOWN:]}
                part.add("groups", {"name": name, "seconds": seconds, **result})
            time.sleep(0.2)


def _start(paths: list[str], part: Part, stem: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", *paths, "-q", "-p", "no:cacheprovider"]
    command += [f"--device={part.device}", f"--junitxml={stem}.xml", "--tb=short"]
    with open(f"{stem}.log", "wb") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)


def _read(report: Path) -> dict[str, Any] | None:
    """Return counts and failures of a group from its report; ``None`` if it did not finish."""
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
                failures.append({"test": name, "message": (problem.text or "")[-SHOWN:]})
    passed = len(cases) - skipped - len(failures)
    return {
        "passed": passed,
        "skipped": skipped,
        "failed": len(failures),
        "failures": failures,
    }


if __name__ == "__main__":
    run_part(main)
