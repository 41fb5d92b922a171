"""Tables and pictures of a folder, from what stands there: nothing else is asked."""

import logging
from pathlib import Path

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.core.layout import Layout
from xaibench.core.store import replacing
from xaibench.report.facts.material import Material, read_material
from xaibench.report.facts.section import ROW, SECTION, sections
from xaibench.report.facts.traits import of_dataset
from xaibench.report.judging.agreement import agreement
from xaibench.report.judging.analyses import quantities, read_analyses
from xaibench.report.judging.classification import classification_table, compare_models
from xaibench.report.judging.decision import decisions
from xaibench.report.judging.judge import judge
from xaibench.report.judging.leaderboard import leaderboard
from xaibench.report.judging.slices import slices
from xaibench.report.pictures.analysis_figures import draw_figures
from xaibench.report.pictures.gallery import pick_rows, places_of
from xaibench.report.pictures.grid import draw_grid
from xaibench.report.pictures.history_figure import draw_history
from xaibench.report.wording.analysis_document import analyses_to_markdown
from xaibench.report.wording.document import Part, to_markdown
from xaibench.report.wording.latex import to_latex

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
    for analysis in read_analyses(out):
        draw_figures(analysis)
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
    analyses = read_analyses(out)
    analysed = quantities(analyses)
    # Of a run that only analyses there is no board.
    board = leaderboard(material, judged) if judged else pd.DataFrame(columns=[*SECTION, *ROW])
    parts = [
        Part(
            section,
            found,
            board[(board["dataset"] == section.dataset) & (board["split"] == section.split)],
            slices(section, material),
            agreement(section, run, found),
            decisions(section, material),
        )
        for section, found in judged
    ]
    classification, tests = _classification(material)
    tables = {
        "classification": classification,
        "classification_tests": tests,
    }
    if analyses or (out / "analyses.csv").is_file():
        tables["analyses"] = analysed
    if parts:
        tables |= {
            "leaderboard": board,
            "slices": pd.concat([part.slices for part in parts]),
            "agreement": pd.concat([part.agreement for part in parts]),
            "decisions": pd.concat([part.decisions for part in parts]),
        }
    # All is made before anything is written, so that a failure leaves no half of a folder.
    told = list(analyses_to_markdown(analyses, analysed, out))
    texts = {"leaderboard.md": to_markdown(parts, run, classification, tests, told)}
    if parts:
        texts["leaderboard.tex"] = to_latex(board, run)
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
            histories[place.title] = pd.read_csv(path)
    if histories:
        with replacing(out / "history.png") as path:
            draw_history(histories, path)
    try:
        # A run that only analyses has no maps to show.
        rows = pick_rows(out, run, predictions) if len(predictions) and run["methods"] else []
    except XaibenchError as error:
        _log.warning("no picture grid: %s", error)
        return
    if rows:
        with replacing(out / "grid.png") as path:
            draw_grid(rows, path, f"{run['dataset']}, test images")
