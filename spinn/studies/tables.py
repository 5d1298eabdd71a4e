"""The table of a study, as Markdown, LaTeX and CSV, with notes on how its numbers are computed.

Markdown and LaTeX have rounded percentages. CSV has unrounded fractions, one number per column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from spinn.studies.measurement import SPLITS
from spinn.studies.statistics import LEVEL, REPLICATES, Interval, deviation
from spinn.studies.summary import CONVENTIONS, RANDOM_SEED, RowSummary
from spinn.support.text import markdown_text
from spinn.transitions import FIXED_SHAPES

SIGNIFICANT = 0.05
COMPARED = ("gold", *FIXED_SHAPES)
_NOTHING = "–"
_LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    "−": "$-$",
    "<": "$<$",
    ">": "$>$",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}


@dataclass(frozen=True)
class Table:
    """The table of a study.

    Attributes
    ----------
    rows
        Summaries of the rows, in the order of the study.
    against
        The row that the others are compared with.
    remarks
        Notes to print first, such as missing runs.
    sides
        Number of sentences per example; it changes the wording of the notes.

    """

    rows: Sequence[RowSummary]
    against: str
    remarks: Sequence[str] = ()
    sides: int = 2

    @property
    def splits(self) -> list[str]:
        """The sets that any row has an accuracy on, dev and test first."""
        named = dict.fromkeys(split for row in self.rows for split in row.accuracy)
        return sorted(named, key=lambda name: (*SPLITS, name).index(name))

    @property
    def has_trees(self) -> bool:
        """Whether any row has trees."""
        return any(row.trees is not None for row in self.rows)

    @property
    def is_compared(self) -> bool:
        """Whether any row is compared with another."""
        return any(row.comparison for row in self.rows)

    def markdown(self) -> str:
        """Return the table and its notes as Markdown."""
        header, *body = self._cells()
        aligned = ["---", *["---:"] * (len(header) - 1)]
        lines = [
            "| " + " | ".join(map(markdown_text, line)) + " |" for line in (header, aligned, *body)
        ]
        notes = [f"- {markdown_text(note)}" for note in (*self.remarks, *self.notes())]
        return "\n".join([*lines, "", *notes]) + "\n"

    def latex(self) -> str:
        """Return the table and its notes as a LaTeX float; it requires the package booktabs."""
        header, *body = ([_latex(cell) for cell in line] for line in self._cells())
        lines = [" & ".join(cells) + r" \\" for cells in body]
        notes = [_latex(note) for note in (*self.remarks, *self.notes())]
        parts = [
            r"% \usepackage{booktabs} in the preamble",
            r"\begin{table*}",
            r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            " & ".join(header) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\caption{" + "\n".join(notes) + "}",
            r"\end{table*}",
        ]
        return "\n".join(parts) + "\n"

    def csv(self) -> str:
        """Return all numbers as comma-separated values; accuracies and scores are fractions."""
        stream = io.StringIO()
        records = [_record(row, self.splits) for row in self.rows]
        writer = csv.DictWriter(stream, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return stream.getvalue()

    def _cells(self) -> list[list[str]]:
        """Return the cells of the header and of each row."""
        columns = self._columns()
        header = [name for name, _ in columns]
        return [header, *([cell(row) for _, cell in columns] for row in self.rows)]

    def _columns(self) -> list[tuple[str, Callable[[RowSummary], str]]]:
        columns: list[tuple[str, Callable[[RowSummary], str]]] = [
            ("row", lambda row: row.name),
            ("seeds", lambda row: str(len(row.seeds))),
        ]
        for split in self.splits:
            columns.append((split, partial(_accuracy, split=split)))
            if split not in SPLITS:
                continue
            columns.append((f"{LEVEL:.0%} CI", partial(_interval, split=split)))
            if self.is_compared:
                columns += [
                    (f"{split} Δ", partial(self._difference, split=split)),
                    ("p", partial(_p, split=split)),
                ]
        if self.has_trees:
            columns += [
                *(
                    (f"F1 {name}", partial(_f1, name=name))
                    for name in COMPARED
                    if any(row.trees and name in row.trees.f1 for row in self.rows)
                ),
                ("self-F1", _self_f1),
                ("depth", lambda row: f"{fmean(row.trees.depth):.2f}" if row.trees else _NOTHING),
            ]
        columns += [
            ("parameters", lambda row: f"{row.weights:,.0f}" if row.weights else _NOTHING),
            ("seconds", lambda row: _NOTHING if row.seconds is None else f"{row.seconds:,.0f}"),
        ]
        return columns

    def _difference(self, row: RowSummary, split: str) -> str:
        compared = row.comparison.get(split)
        if compared is None:
            return "reference" if row.name == self.against else _NOTHING
        return f"{_signed(compared.difference)} {_bounds(compared.interval, _signed)}"

    def notes(self) -> list[str]:
        """Return sentences on how the numbers are computed."""
        unit = {
            1: "the sentences of the set; equal sentences",
            2: "the premises of the set; pairs with the same premise",
        }
        notes = [
            "Accuracy in per cent of the best checkpoint on dev: mean ± sample standard deviation "
            "(n − 1) over seeds.",
            f"CI: {LEVEL:.0%} percentile bootstrap interval (Efron and Tibshirani 1993), "
            f"{REPLICATES:,} replicates, generator seeded with {RANDOM_SEED}. Each replicate "
            "resamples, with replacement, the row's seeds and, independently, "
            f"{unit[self.sides]} are resampled together, because they are not independent. With "
            "few seeds the contribution of the seeds is underestimated; with one it is missing.",
        ]
        if self.is_compared:
            notes += self._comparison_notes()
        if self.has_trees:
            notes += self._tree_notes()
        notes.append(
            "parameters: number of trained parameters. seconds: training time including "
            "evaluation on dev, mean over seeds, not corrected for other load on the machine."
        )
        return notes

    def _comparison_notes(self) -> list[str]:
        unit = {1: "sentences", 2: "premises"}[self.sides]
        summed = {1: "over equal sentences", 2: "over the pairs of a premise"}[self.sides]
        single = {1: "no two sentences are equal", 2: "each premise one pair"}[self.sides]
        return [
            f"Δ: difference from {self.against}, with the interval of the same bootstrap ({unit} "
            "resampled once for both rows, seeds for each row separately).",
            "p: exact two-sided sign-flip permutation test on correctness averaged over seeds and "
            f"summed {summed} (McNemar's exact test if rows have one seed and {single}), "
            f"conditional on the trained models. * marks p < {SIGNIFICANT} after Holm's correction "
            "over all rows compared on that set.",
        ]

    def _tree_notes(self) -> list[str]:
        split = next(row.trees.split for row in self.rows if row.trees)
        return [
            f"Trees are those on {split}; scores are means over seeds. F1 in per cent: "
            f"{CONVENTIONS.describe()}; gold: over the sentences with a parse.",
            "self-F1: mean F1 between the trees of each two seeds. depth: number of nodes above a "
            "word, averaged over words, then over sentences.",
        ]


def _accuracy(row: RowSummary, split: str) -> str:
    accuracy = row.accuracy.get(split)
    if accuracy is None:
        return _NOTHING
    spread = "" if accuracy.deviation is None else f" ± {100 * accuracy.deviation:.2f}"
    return f"{100 * accuracy.mean:.2f}{spread}"


def _interval(row: RowSummary, split: str) -> str:
    accuracy = row.accuracy.get(split)
    return _NOTHING if accuracy is None else _bounds(accuracy.interval, _percent)


def _bounds(interval: Interval, written: Callable[[float], str]) -> str:
    return f"[{written(interval.low)}, {written(interval.high)}]"


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _signed(value: float) -> str:
    rounded = f"{100 * value:+.2f}"
    return "0.00" if float(rounded) == 0 else rounded.replace("-", "−")


def _p(row: RowSummary, split: str) -> str:
    compared = row.comparison.get(split)
    if compared is None:
        return _NOTHING
    star = "*" if compared.adjusted < SIGNIFICANT else ""
    return f"{'< 0.001' if compared.p < 0.001 else f'{compared.p:.3f}'}{star}"


def _f1(row: RowSummary, name: str) -> str:
    if row.trees is None or name not in row.trees.f1:
        return _NOTHING
    return f"{100 * fmean(row.trees.f1[name]):.1f}"


def _self_f1(row: RowSummary) -> str:
    if row.trees is None or not row.trees.agreement:
        return _NOTHING
    return f"{100 * fmean(row.trees.agreement):.1f}"


def _latex(text: str) -> str:
    escaped = "".join(_LATEX_SIGNS.get(sign, sign) for sign in text)
    return escaped.replace("Δ", r"$\Delta$")


def _record(row: RowSummary, splits: Sequence[str]) -> dict[str, object]:
    """Return the numbers of a row by CSV column; missing ones are ``None``."""
    record: dict[str, object] = {"row": row.name, "seeds": " ".join(map(str, row.seeds))}
    for split in splits:
        accuracy, compared = row.accuracy.get(split), row.comparison.get(split)
        numbers = {
            "mean": accuracy and accuracy.mean,
            "sd": accuracy and accuracy.deviation,
            "low": accuracy and accuracy.interval.low,
            "high": accuracy and accuracy.interval.high,
            "difference": compared and compared.difference,
            "difference_low": compared and compared.interval.low,
            "difference_high": compared and compared.interval.high,
            "p": compared and compared.p,
            "p_holm": compared and compared.adjusted,
        }
        record |= {f"{split}_{name}": value for name, value in numbers.items()}
    trees = row.trees
    record["trees"] = trees and trees.split
    for name in COMPARED:
        scores = trees.f1.get(name, ()) if trees else ()
        record |= {f"f1_{name}": _mean(scores), f"f1_{name}_sd": deviation(scores)}
    record["self_f1"] = _mean(trees.agreement) if trees else None
    record["depth"] = _mean(trees.depth) if trees else None
    return record | {"parameters": row.weights, "seconds": row.seconds}


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
