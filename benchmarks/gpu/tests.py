"""The tests of model, operations, training and evaluation, with their tensors on the device.

Each file is tested by a pytest process, several at a time, since small tests leave a GPU idle.
Counts, and what failed, go into the record as soon as a file is done.
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
FOLDERS = ("model", "ops", "extensions", "training", "evaluation")
# The longest first, so that none is left to the end; of processes on the CPU, none.
FIRST = ("test_spinn.py", "test_loop.py", "test_nodes.py", "test_pair.py", "test_gumbel.py")
EXCLUDED = ("test_distributed.py",)
QUICK = ("test_lstm.py", "test_policy.py")
WORKERS = 10
SHOWN = 3000  # characters of a failure


def main(part: Part) -> None:
    """Test all files, and record what each found."""
    waiting = files(quick=part.quick)
    running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            over = not part.time_left()
            while waiting and len(running) < WORKERS and not over:
                path = waiting.pop(0)
                place = Path(folder, path.stem)
                running[path.stem] = _start(path, part, place), time.monotonic()
            for name, (process, begun) in list(running.items()):
                if process.poll() is None and not over:
                    continue
                process.kill()
                process.wait()
                del running[name]
                seconds = round(time.monotonic() - begun, 1)
                part.add("groups", {"name": name, "seconds": seconds, **_found(Path(folder, name))})
            if over:
                part.keep(untested=[path.name for path in waiting])
                return
            time.sleep(0.2)


def files(*, quick: bool) -> list[Path]:
    """List the test files, in the order in which they are started."""
    found = [path for name in FOLDERS for path in (REPOSITORY / "tests" / name).rglob("test_*.py")]
    found = [path for path in found if path.name not in EXCLUDED]
    if quick:
        return [path for path in found if path.name in QUICK]
    order = {name: place for place, name in enumerate(FIRST)}
    return sorted(found, key=lambda path: order.get(path.name, len(FIRST)))


def _start(path: Path, part: Part, place: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", str(path), "-q", "-p", "no:cacheprovider"]
    command += [f"--device={part.device}", f"--junitxml={place}.xml", "--tb=short"]
    with open(f"{place}.log", "wb") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)


def _found(place: Path) -> dict[str, Any]:
    """Return what a file's tests found, or the end of their output if they did not finish."""
    found = _read(Path(f"{place}.xml"))
    if found is None:
        log = Path(f"{place}.log").read_text(encoding="utf-8", errors="replace")
        found = {"end_of_output": log[-SHOWN:]}
    return found


def _read(report: Path) -> dict[str, Any] | None:
    """Read counts and failures; ``None`` if the tests did not finish."""
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
