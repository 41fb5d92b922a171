"""The boards as a notebook shows them: the page's tables, without its script."""

import pandas as pd
from markupsafe import Markup

from xaibench.report.judging.estimates import by_section, from_frame
from xaibench.report.page.sheets import sheets
from xaibench.report.page.templating import environment, source
from xaibench.results.records import RunRecord


def board_html(board: pd.DataFrame, run: RunRecord) -> str:
    """Return all boards as HTML that brings its own style and reaches nothing else's.

    Args:
        board: from `to_frame`, or some of its lines; without rows the HTML is empty.
        run: ``run.json``.
    """
    if board.empty:
        return ""
    tables = [
        (f"{title}: {sheet.title}", sheet)
        for title, section in by_section(from_frame(board, run))
        for sheet in sheets(section, run)
    ]
    template = environment().get_template("notebook.html.j2")
    return template.render(tables=tables, style=Markup(source("board.css")))
