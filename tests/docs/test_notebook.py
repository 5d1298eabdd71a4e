"""The notebook of the documentation gives the outputs that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).parents[2] / "docs" / "first-steps.ipynb"


def outputs(notebook: nbformat.NotebookNode) -> list[dict[str, str]]:
    """Return the results of all cells of code, by media type."""
    return [
        dict(output.data)
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]


def test_the_notebook_gives_the_outputs_that_it_shows():
    shown = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(shown)
    again = nbformat.read(NOTEBOOK, as_version=4)
    for cell in again.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(again, timeout=120, kernel_name="python3").execute()
    assert outputs(again) == outputs(shown)
    assert outputs(shown)[-1]["image/svg+xml"].startswith("<svg")
