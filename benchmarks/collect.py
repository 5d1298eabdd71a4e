"""Keep the small part of a run as evidence: ``python benchmarks/collect.py RUN NAME``.

Writes ``benchmarks/results/NAME.json``: the configuration (files by name alone), the results, and
the learning curve. Without arguments, prints a table of all that is kept there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def collect(run: Path, name: str) -> None:
    """Read a finished run and write its record."""
    configuration = json.loads((run / "config.json").read_text(encoding="utf-8"))
    data = configuration["data"]
    for split in ("train", "dev", "test"):
        data[split] = [Path(path).name for path in data[split]]
    for option in ("data", "vectors"):
        data[option] = Path(data[option]).name if data[option] else None
    del data["data_directory"]
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").open(encoding="utf-8")]
    record = {
        "configuration": configuration,
        "results": json.loads((run / "results.json").read_text(encoding="utf-8")),
        "curve": [line for line in metrics if line["kind"] == "dev"],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def row(name: str, record: dict[str, Any]) -> str:
    """Write one line of the table."""
    results, training = record["results"], record["configuration"]["training"]
    scores = [
        f"{100 * results[split]['accuracy']:.2f}" if split in results else ""
        for split in ("dev", "test")
    ]
    gold = results["dev"].get("trees", {}).get("gold", {}).get("f1")
    parse = "" if gold is None else f"{100 * gold:.1f}"
    minutes = f"{results['seconds'] / 60:.0f}"
    cells = [name, results["form"], *scores, parse, str(training["seed"]), minutes]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Collect a run, or print the table."""
    if len(sys.argv) == 3:
        collect(Path(sys.argv[1]), sys.argv[2])
        return
    if len(sys.argv) != 1:
        sys.exit("Give the folder of a run and a name, or nothing.")
    print("| record | form | dev | test | F1 of trees with gold (dev) | seed | minutes |")
    print("|---|---|---|---|---|---|---|")
    for path in sorted(RESULTS.glob("*.json")):
        print(row(path.stem, json.loads(path.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
