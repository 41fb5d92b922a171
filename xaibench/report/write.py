"""Tables and pictures of a folder, from what stands there: nothing else is asked."""

import logging
from pathlib import Path

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.core.layout import Layout
from xaibench.core.store import replacing
from xaibench.report.agreement import agreement
from xaibench.report.classification import classification_table, compare_models
from xaibench.report.document import Part, to_markdown
from xaibench.report.gallery import pick_rows, places_of
from xaibench.report.grid import draw_grid, draw_history
from xaibench.report.judge import judge
from xaibench.report.latex import to_latex
from xaibench.report.leaderboard import leaderboard
from xaibench.report.material import Material, read_material
from xaibench.report.section import sections
from xaibench.report.slices import slices
from xaibench.report.traits import of_dataset

_log = logging.getLogger(__name__)


def write_report(out: Path) -> pd.DataFrame:
    """Write all tables and pictures of a run's folder.

    Returns:
        The leaderboard.

    Raises:
        XaibenchError: the folder is no run's, or holds no scores yet.
    """
    material = read_material(out)
    board = write_tables(material, out)
    if "options" in material.run:  # a merged folder has no models and no maps
        _draw(out, material)
    return board


def write_tables(material: Material, out: Path) -> pd.DataFrame:
    """Write ``leaderboard.csv``, ``.md`` and ``.tex``, ``slices.csv`` and the other tables.

    Returns:
        The leaderboard.
    """
    run = material.run
    judged = [(section, judge(section, run)) for section in sections(material)]
    board = leaderboard(material, judged)
    parts = [
        Part(
            section,
            found,
            board[(board["dataset"] == section.dataset) & (board["split"] == section.split)],
            slices(section, material),
            agreement(section, run, found),
        )
        for section, found in judged
    ]
    classification, tests = _classification(material)
    tables = {
        "leaderboard": board,
        "slices": pd.concat([part.slices for part in parts]),
        "agreement": pd.concat([part.agreement for part in parts]),
        "classification": classification,
        "classification_tests": tests,
    }
    # All is made before anything is written, so that a failure leaves no half of a folder.
    texts = {
        "leaderboard.md": to_markdown(parts, run, classification, tests),
        "leaderboard.tex": to_latex(board, run),
    }
    for name, table in tables.items():
        with replacing(out / f"{name}.csv") as path:
            # Numbers of different protocols must never mix.
            table.assign(protocol=run.get("protocol_hash", "")).to_csv(path, index=False)
    for name, text in texts.items():
        with replacing(out / name) as path:
            path.write_text(text, "utf-8")
    return board


def _classification(material: Material) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how well the models classify, and whether they differ; datasets have own classes."""
    # Submitted maps may explain a network that nobody named.
    known = material.predictions.dropna(subset="prediction")
    found = []
    for dataset in sorted(set(known["dataset"])) or [""]:
        rows = known[known["dataset"] == dataset]
        classes = of_dataset(material.run, dataset, "classes")
        found.append((classification_table(rows, classes), compare_models(rows, classes)))
    tables, tests = zip(*found, strict=True)
    return pd.concat(tables), pd.concat(tests)


def _draw(out: Path, material: Material) -> None:
    run, predictions = dict(material.run), material.predictions
    layout = Layout(out)
    histories = {}
    for place in places_of(predictions):
        path = layout.model_folder(place) / "history.csv"
        if path.is_file():
            name = f"{place.model}, {place.fold_name}, seed {place.seed}"
            histories[name] = pd.read_csv(path)
    if histories:
        with replacing(out / "history.png") as path:
            draw_history(histories, path)
    try:
        rows = pick_rows(out, run, predictions) if len(predictions) else []
    except XaibenchError as error:
        _log.warning("no picture grid: %s", error)
        return
    if rows:
        with replacing(out / "grid.png") as path:
            draw_grid(rows, path, f"{run['dataset']}, test images")
