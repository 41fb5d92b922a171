"""Tables, figures and pages of a folder, from what stands there: nothing else is asked."""

import logging
from pathlib import Path

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.core.layout import Layout
from xaibench.core.store import replacing
from xaibench.report.facts.material import Material, read_material
from xaibench.report.judging.chapter import Contents, judge_all
from xaibench.report.pictures.analysis_figures import draw_figures
from xaibench.report.pictures.gallery import pick_rows, places_of
from xaibench.report.pictures.grid import draw_grid
from xaibench.report.pictures.history_figure import draw_history
from xaibench.report.wording.document import to_markdown
from xaibench.report.wording.latex import to_latex

_log = logging.getLogger(__name__)


def write_report(out: Path) -> pd.DataFrame:
    """Write all tables, figures and pages of a run's folder.

    Returns:
        The leaderboard.

    Raises:
        XaibenchError: the folder is no run's, or holds no scores yet.
    """
    material = read_material(out)
    contents = judge_all(material, out)
    write_tables(contents, out)
    for analysis in contents.analyses:
        draw_figures(analysis)
    if "options" in material.run:  # a merged folder has no models and no maps
        _draw(out, material)
    return contents.board


def write_tables(contents: Contents, out: Path) -> None:
    """Write ``leaderboard.csv``, ``.md`` and ``.tex``, ``slices.csv`` and the other tables."""
    run, chapters = contents.run, contents.chapters
    tables = {
        "classification": contents.classification,
        "classification_tests": contents.tests,
    }
    if contents.analyses or (out / "analyses.csv").is_file():
        tables["analyses"] = contents.quantities
    if chapters:
        tables |= {
            "leaderboard": contents.board,
            "slices": pd.concat([chapter.slices for chapter in chapters]),
            "agreement": pd.concat([chapter.agreement for chapter in chapters]),
            "decisions": pd.concat([chapter.decisions for chapter in chapters]),
        }
    # All is made before anything is written, so that a failure leaves no half of a folder.
    texts = {"leaderboard.md": to_markdown(contents, out)}
    if chapters:
        texts["leaderboard.tex"] = to_latex(contents.board, run)
    for name, table in tables.items():
        with replacing(out / f"{name}.csv") as path:
            # Numbers of different protocols must never mix.
            table.assign(protocol=run.get("protocol_hash", "")).to_csv(path, index=False)
    for name, text in texts.items():
        with replacing(out / name) as path:
            path.write_text(text, "utf-8")


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
