"""Run all parts and gather their records: ``python -m benchmarks.gpu --corpus FOLDER``.

The folder is made once, where the text tools are:

    spinn prepare runs/gpu/corpus --train TRAIN.jsonl --dev DEV.jsonl

The tests run beside the processor's half of the comparison of training; everything that is timed
runs alone. The gathered record is written after each part, so a run that is cut short keeps what it
found.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import describe_machine, figure, positive, run_program, say, table
from spinn.errors import ConfigurationError
from spinn.files import write_whole
from spinn.runtime import choose_device

REPOSITORY = Path(__file__).parents[2]
GRACE = 20.0  # seconds between the end of a part's time and its being killed
QUICK_SHARE = 2.0  # a processor is slower, and --quick does little


@dataclass(frozen=True)
class Part:
    """A part to run.

    Attributes
    ----------
    name
        Of its record.
    module
        The program, in this package.
    seconds
        Its time box.
    on_processor
        Whether it runs on the processor whatever the device.
    against
        The part whose record it is compared with.

    """

    name: str
    module: str
    seconds: float
    on_processor: bool = False
    against: str | None = None


# The parts of one stage run side by side.
STAGES: tuple[tuple[Part, ...], ...] = (
    (
        Part("tests", "tests", 130),
        Part("losses", "agreement", 120, on_processor=True),
    ),
    (Part("agreement", "agreement", 100, against="losses"),),
    (Part("profile", "profile", 30),),
    (Part("epoch", "epoch", 50),),
    (Part("processes", "processes", 60),),
    (Part("speed", "speed", 110),),
)


def main() -> None:
    """Run the parts that were asked for; print what they found."""
    options = parse()
    device = choose_device(options.device)
    if not (options.corpus / "corpus.json").is_file():
        raise ConfigurationError(
            f"{options.corpus}: there is no prepared corpus; make one with spinn prepare."
        )
    machine = describe_machine(device, options.threads)
    path = options.output / f"gpu-{_slug(machine['device'])}.json"
    parts = options.output if options.parts_folder is None else options.parts_folder
    parts.mkdir(parents=True, exist_ok=True)
    options.output.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {"machine": machine, "quick": options.quick, "parts": {}}
    for stage in STAGES:
        chosen = [one for one in stage if options.only is None or one.name in options.only]
        running = [(one, start(one, options, parts), time.monotonic()) for one in chosen]
        for one, process, begun in running:
            record["parts"][one.name] = finish(one, process, begun, parts)
            write_whole(path, json.dumps(record, indent=1) + "\n")
            say(f"{one.name}: {told(one.name, record['parts'][one.name])}")
    show(record["parts"])
    say(f"\nWritten: {path}")
    failed = [name for name, found in record["parts"].items() if not passed(found)]
    if failed:
        sys.exit(f"Not all is well in: {', '.join(failed)}.")


def start(part: Part, options: argparse.Namespace, folder: Path) -> subprocess.Popen[bytes]:
    """Start a part in a process of its own, its output in a log."""
    place = folder / f"{part.name}.json"
    place.unlink(missing_ok=True)
    seconds = part.seconds * (QUICK_SHARE if options.quick else 1)
    command = [sys.executable, "-m", f"benchmarks.gpu.{part.module}"]
    command += ["--corpus", str(options.corpus.resolve()), "--seconds", str(seconds)]
    command += ["--device", "cpu" if part.on_processor else options.device]
    command += ["--output", str(place), "--threads", str(options.threads)]
    command += ["--quick"] if options.quick else []
    if part.against is not None and (folder / f"{part.against}.json").is_file():
        command += ["--against", str(folder / f"{part.against}.json")]
    with open(folder / f"{part.name}.log", "wb") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)


def finish(
    part: Part, process: subprocess.Popen[bytes], begun: float, folder: Path
) -> dict[str, Any]:
    """Wait for a part, at most to the end of its box; return its record and how it ended."""
    limit = part.seconds * QUICK_SHARE + GRACE
    try:
        status: int | str = process.wait(max(1.0, begun + limit - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        status = "killed at the end of its time"
    found: dict[str, Any] = {"status": status, "seconds": round(time.monotonic() - begun, 1)}
    place = folder / f"{part.name}.json"
    if place.is_file():
        found |= json.loads(place.read_text(encoding="utf-8"))
    if status != 0:
        log = (folder / f"{part.name}.log").read_text(encoding="utf-8", errors="replace")
        found["end_of_output"] = log[-3000:]
    return found


def passed(found: dict[str, Any]) -> bool:
    """Return whether a part ended well and found nothing wrong."""
    groups = found.get("groups", [])
    compared = found.get("compared", [])
    return (
        found["status"] == 0
        and not found.get("errors")
        and all(group.get("failed", 1) == 0 for group in groups)
        and all(row["within"] for row in compared)
        and all(found.get(name, {"status": 0})["status"] == 0 for name in ("torchrun", "train"))
    )


def told(name: str, found: dict[str, Any]) -> str:
    """Say in a line how a part went."""
    line = f"{'well' if passed(found) else 'NOT well'}, {found['seconds']} s"
    return line + (" (cut short)" if found.get("cut_short") else "")


def show(parts: dict[str, dict[str, Any]]) -> None:
    """Print the figures as tables."""
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
            ("form", "precision", "batch_size", "pairs_per_second", "seconds_per_epoch"),
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
        found = parts.get(name, {}).get(rows)
        if found:
            say(f"\n{name}\n{table(columns, [_cells(row, columns) for row in found])}")


def _cells(row: dict[str, Any], columns: tuple[str, ...]) -> list[str]:
    values = [row.get(column) for column in columns]
    return [figure(value) if isinstance(value, float) else str(value) for value in values]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def parse() -> argparse.Namespace:
    """Read the flags."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description="Prove and measure everything on a GPU."
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, metavar="FOLDER", help="made by spinn prepare")
    add("--device", default="cuda", help="cuda or, for a dry run, cpu (default: cuda)")
    add("--quick", action="store_true", help="do only enough to see that everything works")
    add("--threads", type=positive, default=4, help="processor threads of a part (default: 4)")
    names = [part.name for stage in STAGES for part in stage]
    add("--only", nargs="+", choices=names, metavar="PART", help=f"some of {', '.join(names)}")
    add(
        "--output",
        type=Path,
        default=REPOSITORY / "benchmarks" / "speed",
        metavar="FOLDER",
        help="where gpu-NAME.json goes (default: benchmarks/speed)",
    )
    add(
        "--parts-folder",
        type=Path,
        default=REPOSITORY / "runs" / "gpu" / "parts",
        metavar="FOLDER",
        help="where the parts write and log (default: runs/gpu/parts)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    run_program(main)
