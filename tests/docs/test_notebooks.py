"""The notebooks of examples/ run from top to bottom, and hold what they printed."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


def cells(notebook):
    return [
        cell
        for cell in json.loads(notebook.read_text("utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]


def test_there_are_notebooks_and_they_were_executed():
    assert [each.stem for each in NOTEBOOKS] == ["own_images", "timm_model"]
    for notebook in NOTEBOOKS:
        told = cells(notebook)
        assert [cell["execution_count"] for cell in told] == list(range(1, len(told) + 1))
        assert any("image/png" in out.get("data", {}) for cell in told for out in cell["outputs"])


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook, tmp_path, monkeypatch):
    timm, torch = pytest.importorskip("timm"), pytest.importorskip("torch")
    checkpoint = tmp_path / "weights.pth"
    torch.save(timm.create_model("tf_efficientnet_lite0").state_dict(), checkpoint)
    monkeypatch.setenv("CHECKPOINT", str(checkpoint))  # nothing is downloaded
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for cell in cells(notebook):
        exec(compile("".join(cell["source"]), str(notebook), "exec"), names)
