"""The kept results of the studies in the catalogue, and the tables in the documentation.

A clone of the repository keeps them in ``results/NAME.json``, written by
:mod:`spinn.studies.collect`. ``docs/results.md`` shows all rows; the README shows the rows that the
studies name as ``highlights``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from spinn.studies.reference import format_references
from spinn.studies.statistics import deviation, score_interval
from spinn.studies.study import StudyHeader, read_study, study_file, study_names
from spinn.support.errors import SpinnError
from spinn.support.files import write_whole
from spinn.support.json_files import read_object
from spinn.support.text import markdown_text

CLONE = Path(__file__).parents[2]
RESULTS = CLONE / "results"
README = CLONE / "README.md"
DOCUMENT = CLONE / "docs" / "results.md"
MARKS = ("<!-- results -->\n", "<!-- end of results -->\n")
_COLUMNS = (
    "task", "model", "command", "seeds", "dev", "test", "F1", "published", "parameters", "minutes",
)  # fmt: skip
_SHORT_COLUMNS = ("task", "model", "seeds", "dev", "test", "F1")

Runs = dict[str, dict[str, Any]]  # by seed: {"results": {...}, "curve": [...]}
Record = dict[str, Any]  # {"rows": {row: {"configuration": {...}, "runs": Runs}}}


def check_clone() -> None:
    """Raise a :class:`SpinnError` if the package is not in a clone with a folder of results."""
    if not RESULTS.is_dir():
        raise SpinnError(
            f"Results are kept in a clone of the repository, and there is no folder {RESULTS}; "
            "run the command from a clone."
        )


def record_file(name: str, folder: Path = RESULTS) -> Path:
    """Return the file with the results of a study."""
    return folder / f"{name}.json"


def read_record(name: str, folder: Path = RESULTS) -> Record:
    """Return the results of a study; there are no rows if none were kept."""
    path = record_file(name, folder)
    if not path.is_file():
        return {"rows": {}}
    return read_object(path, "Restore it from the repository").values


def full_table(folder: Path = RESULTS) -> str:
    """Return the results of all studies as a Markdown table."""
    lines = []
    for name in study_names():
        header, rows = _header_and_rows(name, folder)
        command = f"`spinn ablate --experiment {name}`"
        published = format_references(header.published)
        for row, runs in rows.items():
            cells = {"task": header.task, "model": row, "command": command} | _cells(runs)
            lines.append(cells | {"published": published})
            published = ""  # once per study
    return _markdown(_COLUMNS, lines)


def short_table(folder: Path = RESULTS) -> str:
    """Return the results of highlighted rows, without further test sets, as a Markdown table."""
    lines = []
    for name in study_names():
        header, rows = _header_and_rows(name, folder)
        lines += [
            {"task": header.task, "model": row} | _cells(rows[row], further=False)
            for row in header.highlights
            if row in rows
        ]
    return _markdown(_SHORT_COLUMNS, lines)


def write_documents() -> None:
    """Write the tables into ``docs/results.md`` and the README, between their marks."""
    for path, table in ((DOCUMENT, full_table()), (README, short_table())):
        write_whole(path, replace_marked(path.read_text(encoding="utf-8"), table))


def replace_marked(text: str, table: str) -> str:
    """Return a text with the part between the marks replaced by a table."""
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}"


def _header_and_rows(name: str, folder: Path) -> tuple[StudyHeader, dict[str, Runs]]:
    """Return the header of a study and the kept runs of its rows, in the study's order."""
    study, kept = read_study(study_file(name)), read_record(name, folder)["rows"]
    assert study.header is not None
    return study.header, {
        row.name: kept[row.name]["runs"] for row in study.rows if row.name in kept
    }


def _markdown(columns: Sequence[str], lines: Sequence[dict[str, str]]) -> str:
    rows = ([markdown_text(line[one]) for one in columns] for line in lines)
    cells = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in cells)


def _cells(runs: Runs, *, further: bool = True) -> dict[str, str]:
    """Return the cells of a row by column, with accuracies on ``further`` test sets if asked."""
    results = [run["results"] for run in runs.values()]
    tests = []
    if all("test" in one for one in results):
        tests.append(format_with_interval([one["test"] for one in results]))
    others = [one.get("also", {}) for one in results]
    # Seeds kept before a further test set was added lack it.
    names = [name for name in others[0] if all(name in one for one in others)]
    if names and further:
        values = [format_accuracy([one[name]["accuracy"] for one in others]) for name in names]
        tests.append(f"{', '.join(values)} on {', '.join(names)}")
    trees = [one["dev"].get("trees", {}).get("gold") for one in results]
    return {
        "seeds": ", ".join(runs),
        "dev": format_with_interval([one["dev"] for one in results]),
        "test": "; ".join(tests),
        "F1": format_accuracy([one["f1"] for one in trees]) if all(trees) else "",
        "parameters": f"{fmean(one['weights'] for one in results) / 1e6:.2f} M",
        "minutes": f"{fmean(one['seconds'] for one in results) / 60:.0f}",
    }


def format_accuracy(values: list[float]) -> str:
    """Format the mean over seeds and, for several, the sample standard deviation, in per cent."""
    spread = deviation(values)
    mean = f"{100 * fmean(values):.1f}"
    return mean if spread is None else f"{mean} ± {100 * spread:.1f}"


def format_with_interval(scores: list[dict[str, Any]]) -> str:
    """Format the accuracies of all seeds on one set, with Wilson's score interval."""
    accuracies = [one["accuracy"] for one in scores]
    bounds = score_interval(accuracies, scores[0]["count"])
    return f"{format_accuracy(accuracies)} [{100 * bounds.low:.1f}, {100 * bounds.high:.1f}]"
