"""Short trainings of every form, digested: ``python tests/golden.py CHECKOUT OUTPUT.json``.

A tool for rebuilding the package without changing what it computes. It trains 300 pairs of the
bundled corpus for two epochs on one thread, through the command line alone, and records every
figure of the metrics and a hash of the final weights. Run it on both versions, on the same machine,
and compare the two files; they must be equal.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

RL = ("--tracker", "--rl", "--parser", "shared")
OWN = ("--rl", "--parser", "own", "--samples", "2", "--baseline", "leave-one-out")
RUNS: dict[str, tuple[str, ...]] = {
    "gold": (),
    "tracker": ("--tracker",),
    "predict": ("--tracker", "--predict"),
    "rl": RL,
    "ppo": (*OWN, "--policy-updates", "3"),
    "gumbel": ("--encoder", "gumbel"),
    "lstm": ("--encoder", "lstm"),
    "bow": ("--encoder", "bow"),
    "aligned": ("--leaf-context", "aligned"),
    "bilstm, maximum": ("--encoder", "bilstm", "--pooling", "max"),
    "gated recursion": ("--composition", "gated-recursive", "--composition-dropout", "0.1"),
    "random trees, all phrases": ("--trees", "random", "--pooling", "max-all"),
    "leaf LSTM": ("--leaf-context", "bilstm", "--tracker"),
    "scheduled sampling": ("--tracker", "--predict", "--scheduled-sampling", "0.5"),
    "curriculum": (*RL, "--curriculum", "0.3", "--curriculum-epochs", "1", "--baseline", "mean"),
    "own parser, predicted": ("--predict", "--parser", "own"),
    "published": ("--preset", "spinn", "--batch-size", "32"),
}
SAME = ("--epochs", "2", "--threads", "1", "--device", "cpu", "--log-steps", "1", "--no-cache")
TIMES = ("seconds", "speed")  # figures that differ from run to run


def main() -> None:
    """Train all forms of a checkout and write what came out."""
    checkout, output = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        data = ["--train", _first(checkout / "data/sample/train.jsonl", 300, Path(folder))]
        data += ["--dev", _first(checkout / "data/sample/dev.jsonl", 200, Path(folder))]
        for name, flags in RUNS.items():
            run = Path(folder, "run-" + name.replace(" ", "-"))
            command = [sys.executable, "train.py", *data, *SAME, "--output", str(run), *flags]
            environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
            )
            found[name] = digest(run) if done.returncode == 0 else {"failed": done.stderr[-500:]}
            print(f"{name}: {found[name].get('weights', found[name])}", flush=True)
    output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _first(path: Path, count: int, folder: Path) -> str:
    """Copy the first lines of a file."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[:count]
    copy = folder / path.name
    copy.write_text("".join(lines), encoding="utf-8")
    return str(copy)


def digest(run: Path) -> dict[str, Any]:
    """Return the figures of a run and a hash of its last weights, whatever they are called."""
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in metrics:
        for name in TIMES:
            line.pop(name, None)
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    results.pop("seconds")
    names = json.loads((run / "checkpoints.json").read_text(encoding="utf-8"))
    tensors = load_file(run / "checkpoints" / names["last"] / "weights.safetensors")
    hashes = sorted(hashlib.sha256(t.numpy().tobytes()).hexdigest() for t in tensors.values())
    weights = hashlib.sha256("".join(hashes).encode()).hexdigest()
    return {"weights": weights, "metrics": metrics, "results": results}


if __name__ == "__main__":
    main()
