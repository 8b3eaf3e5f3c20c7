"""The notebook of the tutorial: it is stored without outputs, and runs from nothing in a clean kernel."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs/tutorial/first-translation.ipynb"


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_stored_without_outputs_and_without_traces_of_a_machine(notebook: nbformat.NotebookNode) -> None:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert [cell for cell in cells if cell.outputs or cell.execution_count is not None or cell.metadata] == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what Jupyter warns of is not ours
def test_it_runs_from_nothing_and_shows_pictures_and_scores(notebook: nbformat.NotebookNode, tmp_path: Path) -> None:
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    said = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert "one verdict depends on 70 x 70 pixels" in said
    bone = next(line.split() for line in said.splitlines() if line.startswith("bone"))
    mae, of_water = map(float, bone[2:4])
    assert mae < of_water
    assert (tmp_path / "first-translation/scores/report.html").is_file()
