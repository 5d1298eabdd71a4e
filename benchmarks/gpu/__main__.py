"""Run all parts and collect their records: ``python -m benchmarks.gpu --corpus FOLDER``.

Prepare the folder on a machine with spaCy and torchtext:

    spinn prepare runs/gpu/corpus --train TRAIN.jsonl --dev DEV.jsonl

The tests run in parallel with the reference training on the CPU; all timed parts run alone. Where
processors are few or slow, run ``--only losses --device cpu`` before, anywhere, and give the file
that it writes as ``--losses``. The record is written after each part, so an interrupted run keeps
its results.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import describe_machine, figure, positive, run_program, say, slug, table
from spinn.ops.dispatch import loops_for, missing_loops
from spinn.support.errors import ConfigurationError
from spinn.support.files import write_whole
from spinn.support.runtime import arithmetic, choose_device

REPOSITORY = Path(__file__).parents[2]
GRACE = 20.0  # seconds after its time limit until a part is killed
QUICK_SHARE = 2.0  # factor of the time limits with --quick, which is for the slower CPU


@dataclass(frozen=True)
class Part:
    """A part to run.

    Attributes
    ----------
    name
        Name of the part and its record.
    module
        Module of this package.
    seconds
        Time limit.
    on_cpu
        Whether it always runs on the CPU.
    against
        Name of the part whose record it is compared with.

    """

    name: str
    module: str
    seconds: float
    on_cpu: bool = False
    against: str | None = None


# The parts of a stage run in parallel.
STAGES: tuple[tuple[Part, ...], ...] = (
    (
        Part("tests", "tests", 130),
        Part("losses", "agreement", 120, on_cpu=True),
    ),
    (Part("agreement", "agreement", 100, against="losses"),),
    (Part("profile", "profile", 30),),
    (Part("epoch", "epoch", 50),),
    (Part("processes", "processes", 60),),
    (Part("speed", "speed", 110),),
)


def main() -> None:
    """Run the selected parts and print their results."""
    options = parse()
    device = choose_device(options.device)
    if not (options.corpus / "corpus.json").is_file():
        raise ConfigurationError(
            f"{options.corpus}: this is not a prepared corpus; write one with spinn prepare."
        )
    machine = describe_machine(device, options.threads) | describe_loops(device)
    path = options.output / f"gpu-{slug(machine['device'])}.json"
    # Parts run in the folder of the repository.
    parts = (options.parts_folder or options.output).resolve()
    parts.mkdir(parents=True, exist_ok=True)
    options.output.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {"machine": machine, "quick": options.quick, "parts": {}}
    for stage in STAGES:
        selected = [part for part in stage if options.only is None or part.name in options.only]
        selected = [part for part in selected if options.losses is None or not part.on_cpu]
        running = [(part, start(part, options, parts), time.monotonic()) for part in selected]
        for part, process, started in running:
            record["parts"][part.name] = finish(part, process, started, parts)
            write_whole(path, json.dumps(record, indent=1) + "\n")
            say(f"{part.name}: {summarise(record['parts'][part.name])}")
    show(record["parts"])
    say(f"\nWritten: {path}")
    failed = [name for name, result in record["parts"].items() if not passed(result)]
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


def describe_loops(device: torch.device) -> dict[str, str | None]:
    """Name the loops between matrix products in bf16, and the reason if they are the plain ones."""
    states = torch.empty(0, device=device)
    with arithmetic(device, "bf16"):
        loops = loops_for(states, torch.bfloat16)
        return {"loops": type(loops).__name__, "missing_loops": missing_loops(states)}


def start(part: Part, options: argparse.Namespace, folder: Path) -> subprocess.Popen[bytes]:
    """Start a part in a separate process, with its output in a log file."""
    record = folder / f"{part.name}.json"
    record.unlink(missing_ok=True)
    seconds = part.seconds * (QUICK_SHARE if options.quick else 1)
    command = [sys.executable, "-m", f"benchmarks.gpu.{part.module}"]
    command += ["--corpus", str(options.corpus.resolve()), "--seconds", str(seconds)]
    command += ["--device", "cpu" if part.on_cpu else options.device]
    command += ["--output", str(record), "--threads", str(options.threads)]
    command += ["--quick"] if options.quick else []
    against = options.losses or folder / f"{part.against}.json"
    if part.against is not None and against.is_file():
        command += ["--against", str(against.resolve())]
    with open(folder / f"{part.name}.log", "wb") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)


def finish(
    part: Part, process: subprocess.Popen[bytes], started: float, folder: Path
) -> dict[str, Any]:
    """Wait for a part, and kill it after its time limit; return its record and exit status."""
    limit = part.seconds * QUICK_SHARE + GRACE
    try:
        status: int | str = process.wait(max(1.0, started + limit - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        status = "killed after its time limit"
    result: dict[str, Any] = {"status": status, "seconds": round(time.monotonic() - started, 1)}
    record = folder / f"{part.name}.json"
    if record.is_file():
        result |= json.loads(record.read_text(encoding="utf-8"))
    if status != 0:
        log = (folder / f"{part.name}.log").read_text(encoding="utf-8", errors="replace")
        result["end_of_output"] = log[-3000:]
    return result


def passed(result: dict[str, Any]) -> bool:
    """Return whether a part succeeded and all its checks passed."""
    groups = result.get("groups", [])
    compared = result.get("compared", [])
    empty = any(result.get(name) in ({}, []) for name in ("losses", "compared"))
    return (
        result["status"] == 0
        and not result.get("errors")
        and not empty
        and all(group["failed"] == 0 and group.get("finished", True) for group in groups)
        and all(row["within"] for row in compared)
        and all(result.get(name, {"status": 0})["status"] == 0 for name in ("torchrun", "train"))
    )


def summarise(result: dict[str, Any]) -> str:
    """Return a line with the outcome of a part."""
    line = f"{'passed' if passed(result) else 'FAILED'}, {result['seconds']} s"
    return line + (" (time limit reached)" if result.get("cut_short") else "")


def show(parts: dict[str, dict[str, Any]]) -> None:
    """Print the results as tables."""
    for group in parts.get("tests", {}).get("groups", []):
        counts = ", ".join(f"{group.get(key)} {key}" for key in ("passed", "failed", "skipped"))
        say(f"{group['name']}: {counts} in {group['seconds']} s")
        for failure in group.get("failures", []):
            say(f"  {failure['test']}")
    for name, rows, columns in (
        (
            "agreement",
            "compared",
            ("form", "precision", "largest_of_first_steps", "of_last_means", "within"),
        ),
        (
            "epoch",
            "rows",
            (
                *("form", "algorithm", "precision", "batch_size"),
                *("pairs_per_second", "seconds_per_epoch"),
            ),
        ),
        (
            "profile",
            "steps",
            (
                *("form", "milliseconds", "milliseconds_busy", "milliseconds_in_gaps"),
                *("kernels", "launches", "waits"),
            ),
        ),
        (
            "speed",
            "rows",
            (
                *("part", "mode", "form", "algorithm", "precision", "batch_size"),
                *("pairs_per_second", "of_products", "of_copy"),
            ),
        ),
    ):
        results = parts.get(name, {}).get(rows)
        if results:
            say(f"\n{name}\n{table(columns, [_cells(row, columns) for row in results])}")


def _cells(row: dict[str, Any], columns: tuple[str, ...]) -> list[str]:
    values = [row.get(column) for column in columns]
    return [figure(value) if isinstance(value, float) else str(value) for value in values]


def parse() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description="Run all tests and benchmarks on a GPU."
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, metavar="FOLDER", help="written by spinn prepare")
    add("--device", default="cuda", help="cuda or, for a dry run, cpu (default: cuda)")
    add(
        "--losses",
        type=Path,
        metavar="FILE",
        help="losses.json of an earlier run on the same corpus; else the CPU trains for them",
    )
    add("--quick", action="store_true", help="a short run, as a check")
    add("--threads", type=positive, default=4, help="processor threads of a part (default: 4)")
    names = [part.name for stage in STAGES for part in stage]
    add("--only", nargs="+", choices=names, metavar="PART", help=f"some of {', '.join(names)}")
    add(
        "--output",
        type=Path,
        default=REPOSITORY / "benchmarks" / "speed",
        metavar="FOLDER",
        help="folder for gpu-NAME.json (default: benchmarks/speed)",
    )
    add(
        "--parts-folder",
        type=Path,
        default=REPOSITORY / "runs" / "gpu" / "parts",
        metavar="FOLDER",
        help="folder for records and logs of the parts (default: runs/gpu/parts)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    run_program(main)
