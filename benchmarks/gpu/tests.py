"""The tests of model, operations, training and evaluation, with their tensors on the device.

Each file is tested by one pytest process, or by several if its tests take long; many run at a
time, since small tests leave a GPU idle. Counts and failures go into the record as soon as a
process is done.
"""

from __future__ import annotations

import re
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
# Long files and the number of processes of each. They start first.
SHARDS = {"test_loop": 4, "test_pair": 3, "test_spinn": 2, "test_gumbel": 2, "test_nodes": 2}
EXCLUDED = ("test_distributed.py",)  # tests processes on the CPU
QUICK = ("test_lstm.py", "test_policy.py")
WORKERS = 10
SHOWN = 3000  # characters of a failure


def main(part: Part) -> None:
    """Test all files, and record what each found."""
    waiting = shards(quick=part.quick)
    running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            over = not part.time_left()
            while waiting and len(running) < WORKERS and not over:
                name, path, shard = waiting.pop(0)
                process = _start(path, shard, part, Path(folder, name))
                running[name] = process, time.monotonic()
            for name, (process, begun) in list(running.items()):
                if process.poll() is None and not over:
                    continue
                process.kill()
                process.wait()
                del running[name]
                seconds = round(time.monotonic() - begun, 1)
                part.add("groups", {"name": name, "seconds": seconds, **_found(Path(folder, name))})
            if over:
                part.keep(untested=[name for name, *_ in waiting])
                return
            time.sleep(0.2)


def shards(*, quick: bool) -> list[tuple[str, Path, str]]:
    """List name, file and shard of all processes, in the order in which they are started."""
    found = [path for name in FOLDERS for path in (REPOSITORY / "tests" / name).rglob("test_*.py")]
    kept = [path for path in found if path.name not in EXCLUDED]
    if quick:
        kept = [path for path in kept if path.name in QUICK]
    kept.sort(key=lambda path: -SHARDS.get(path.stem, 0))
    return [
        (path.stem if count == 1 else f"{path.stem}-{index}", path, f"{index}/{count}")
        for path in kept
        for count in [SHARDS.get(path.stem, 1)]
        for index in range(1, count + 1)
    ]


def _start(path: Path, shard: str, part: Part, place: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", str(path), f"--shard={shard}", "-v", "--tb=short"]
    command += ["-o", "addopts=", "-p", "no:cacheprovider"]
    command += [f"--device={part.device}", f"--junitxml={place}.xml"]
    with open(f"{place}.log", "wb") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)


def _found(place: Path) -> dict[str, Any]:
    """Return the results of a process; if it did not finish, those that its output names."""
    found = _read(Path(f"{place}.xml"))
    if found is None:
        log = Path(f"{place}.log").read_text(encoding="utf-8", errors="replace")
        failures = [{"test": name} for name in re.findall(r"(\S+::.*) (?:FAILED|ERROR)", log)]
        found = {
            "finished": False,
            "passed": log.count(" PASSED"),
            "skipped": log.count(" SKIPPED"),
            "failed": len(failures),
            "failures": failures,
            "end_of_output": log[-SHOWN:],
        }
    return found


def _read(report: Path) -> dict[str, Any] | None:
    """Read counts and failures; return ``None`` if the tests did not finish."""
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
