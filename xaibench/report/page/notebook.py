"""The boards as a notebook shows them: the page's tables, without its script."""

import pandas as pd
from markupsafe import Markup

from xaibench.report.facts.section import SECTION
from xaibench.report.page.sheets import sheets
from xaibench.report.page.templating import environment, source
from xaibench.results.records import RunRecord


def board_html(board: pd.DataFrame, run: RunRecord) -> str:
    """Return all boards as HTML that brings its own style and reaches nothing else's.

    Args:
        board: from `leaderboard`; without rows the HTML is empty.
        run: ``run.json``.
    """
    if board.empty:
        return ""
    tables = [
        (f"{dataset}, {split}: {sheet.title}", sheet)
        for (dataset, split), section in board.groupby(SECTION, sort=False)
        for sheet in sheets(section, run)
    ]
    template = environment().get_template("notebook.html.j2")
    return template.render(tables=tables, style=Markup(source("board.css")))
