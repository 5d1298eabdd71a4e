"""Many mutated inputs by hand; any failure is printed with the seed that repeats it."""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .campaign import judge_all

_LONG = 100_000


def main() -> int:
    """Judge inputs; return 1 if one failed."""
    from .kinds import KINDS
    from .mutation import kind_of

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--long", action="store_true", help=f"judge {_LONG:,} inputs")
    parser.add_argument("--count", type=int, default=2_000, help="number of inputs")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; repeats a failure")
    parser.add_argument("--only", choices=tuple(KINDS), help="inputs of this kind")
    parser.add_argument(
        "--failures", type=Path, default=Path("fuzz-failures"), help="folder of failing inputs"
    )
    options = parser.parse_args()
    chosen = (
        seed
        for seed in itertools.count(options.seed)
        if options.only is None or kind_of(seed) == options.only
    )
    count = _LONG if options.long else options.count
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        return _report(itertools.islice(chosen, count), Path(root), options.failures)


def _report(seeds: Iterator[int], root: Path, failures: Path) -> int:
    """Print failures as they come, and how far it is."""
    outcomes: Counter[str] = Counter()
    shown = start = time.monotonic()
    failed = 0
    for judged in judge_all(seeds, root, failures):
        outcomes[judged.verdict.outcome] += 1
        if judged.verdict.failed:
            failed += 1
            print(judged.line, flush=True)
        if time.monotonic() - shown > 30:
            shown = time.monotonic()
            print(f"... {outcomes.total():,} inputs; go on with --seed {judged.seed + 1}")
    seconds = time.monotonic() - start
    figures = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.most_common())
    print(f"{outcomes.total():,} inputs in {seconds:.0f} s: {figures}.")
    if failed:
        print(f"{failed:,} failed; their inputs: {failures}. --seed N --count 1 repeats one.")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
