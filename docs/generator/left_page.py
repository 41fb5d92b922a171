"""``files.md``: what a run leaves."""

from left_files import ANYWHERE, COLUMNS, FILES

from xaibench.core.markdown import markdown_table

_INTRO = """# Files

What a run leaves in `--out`, by default `results/DATASET`. Words in capitals stand for what the run
decides: MODEL is `DATASET/SPLIT/NAME/seed0`, CELL has the method below that. Not every run leaves
every file: analyses only where they were asked for, `history.csv` only where something was trained.
Tables are CSV in UTF-8; what is undefined is empty, never 0."""


def left_page() -> str:
    """Return the page."""
    parts = [_INTRO, "## The files", _table("file", FILES)]
    parts += ["## Columns of several tables", _table("column", ANYWHERE)]
    for name, columns in COLUMNS.items():
        parts += [f"## {name}", _table("column", columns)]
    return "\n\n".join(parts) + "\n"


def _table(what: str, entries: dict[str, str]) -> str:
    rows = [[f"`{name}`", meaning] for name, meaning in entries.items()]
    return markdown_table([what, "content" if what == "file" else "meaning"], rows, links=True)
