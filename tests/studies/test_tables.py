"""Tables: the contents of their cells, and their formats."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from examples import a_study

from spinn.studies.summary import summarise
from spinn.studies.tables import Table


@pytest.fixture
def table() -> Table:
    return Table(summarise(a_study(), "SPINN"), "SPINN", ["never run is missing."])


def test_markdown(table):
    lines = table.markdown().splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert len({len(row) for row in cells}) == 1
    header, _, spinn, lstm, never = cells
    by_name = dict(zip(header, spinn, strict=True))
    assert by_name["seeds"] == "2"
    assert by_name["dev"] == "50.00 ± 23.57"
    assert by_name["dev Δ"] == "reference"
    assert by_name["self-F1"] == "56.9"
    assert by_name["seconds"] == "3"
    other = dict(zip(header, lstm, strict=True))
    assert other["row"] == r"LS_TM \| 50%"
    assert other["dev"] == "100.00"
    assert other["dev Δ"].startswith("+50.00 [")
    assert other["p"] == "0.500"
    assert other["F1 left"] == "–"
    assert set(never[2:]) == {"–"}
    assert "- never run is missing." in lines


def test_the_notes_describe_the_computation(table):
    notes = " ".join(table.notes())
    for words in (
        "10,000 replicates", "seeded with 0", "seeds and, independently, the premises",
        "pairs with the same premise are resampled together",
        "sign-flip permutation test", "averaged over seeds", "difference from SPINN", "Holm",
        "root span", "trees of each two seeds", "sample standard deviation",
    ):  # fmt: skip
        assert words in notes


def test_the_notes_of_single_sentences_do_not_mention_pairs(table):
    notes = " ".join(replace(table, sides=1).notes())
    assert "the sentences of the set; equal sentences are resampled" in notes
    assert "premise" not in notes
    assert "pair" not in notes


def test_latex(table):
    text = table.latex()
    for words in (r"\toprule", r"\midrule", r"\bottomrule", r"\usepackage{booktabs}"):
        assert words in text
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    columns = len(text.split(r"\begin{tabular}{")[1].split("}")[0])
    assert [len(re.findall(r"(?<!\\)&", line)) + 1 for line in body] == [columns] * 3
    assert r"LS\_TM | 50\%" in body[1]
    assert text.isascii()
    assert text.count("{") == text.count("}")
    assert not re.search(r"(?<!\\)[%#](?! \\usepackage)", text)


def test_csv(table):
    spinn, lstm, never = csv.DictReader(io.StringIO(table.csv()))
    assert spinn["seeds"] == "1 2"
    assert float(spinn["dev_mean"]) == pytest.approx(0.5)
    assert float(spinn["dev_low"]) <= 0.5 <= float(spinn["dev_high"])
    assert float(spinn["f1_left_sd"]) > 0
    assert spinn["dev_p"] == ""
    assert float(lstm["dev_p"]) == pytest.approx(0.5)
    assert float(lstm["dev_difference"]) == pytest.approx(0.5)
    assert lstm["self_f1"] == ""
    assert set(never.values()) == {"never run", ""}


def test_empty_columns_are_omitted():
    study = {"LSTM": a_study()["LS_TM | 50%"]}
    table = Table(summarise(study, "LSTM"), "LSTM")
    assert "F1" not in table.markdown()
    assert "Δ" not in table.markdown()
