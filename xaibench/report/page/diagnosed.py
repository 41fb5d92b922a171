"""What `xaibench diagnose` left in a run's folder, read back."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from xaibench.core.csv_cells import restore
from xaibench.core.errors import XaibenchError
from xaibench.core.markdown import markdown_table
from xaibench.report.page.prose import prose
from xaibench.results.folder import DIAGNOSTICS_FILE, DIAGNOSTICS_PAGE_FILE

_NEEDED = ["diagnostic", "model", "method", "stage", "verdict"]
_ABOUT = (
    "Pass or fail, never a rank: a method that passes is not better for it, and one that fails "
    "answers another question than the one it is asked."
)


def verdicts(out: Path) -> Iterator[tuple[Markup, Markup]]:
    """Yield the verdicts in words and, behind them, the whole ``diagnostics.md``; else nothing.

    Raises:
        XaibenchError: ``diagnostics.csv`` is damaged.
    """
    path, document = out / DIAGNOSTICS_FILE, out / DIAGNOSTICS_PAGE_FILE
    if not path.is_file():
        return
    try:
        table = restore(pd.read_csv(path, dtype=str, keep_default_na=False))
        judged = table[_NEEDED]
    except (OSError, ValueError, KeyError) as error:
        raise XaibenchError(f"{path}: {error}; run `xaibench diagnose` again.") from error
    rows = [
        [*map(str, key), str(verdict), ", ".join(own["method"])]
        for (*key, verdict), own in judged[judged["verdict"] != ""].groupby(
            ["diagnostic", "model", "stage", "verdict"], sort=False
        )
    ]
    names = ["diagnosis", "model", "stage", "verdict", "methods"]
    text = document.read_text("utf-8").partition("\n")[2] if document.is_file() else ""
    yield prose([_ABOUT, markdown_table(names, rows)]), prose([text])
