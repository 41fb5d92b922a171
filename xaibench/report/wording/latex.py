"""The boards as LaTeX tables, for papers: packages booktabs and graphicx."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from xaibench.core.visible import visible
from xaibench.report.facts.proper_names import method_name, network_name
from xaibench.report.judging.estimates import BoardRow, by_section
from xaibench.report.wording.board_table import Board, BoardCell
from xaibench.report.wording.boards import boards, cost_board
from xaibench.results.records import RunRecord

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    **{sign: f"\\{sign}" for sign in "_%&#$"},
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "[": "{[}",  # after a line's end a bracket would be its option
    "]": "{]}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "—": "---",
}
_MEANS = "Means and 95\\,\\% intervals; $\\ddagger$ pooled over images."
_TIES = (
    "Rows that share a letter are not significantly different (= from the best; paired tests, "
    "Holm's correction, $p < 0.05$); the best is bold. $\\dagger$ the network has been trained on "
    "masks."
)


def escape(text: str) -> str:
    r"""Return text that LaTeX prints as it is.

    >>> print(escape("rise[n=50%]_a ↑"))
    rise{[}n=50\%{]}\_a $\uparrow$
    """
    return "".join(_ESCAPES.get(sign, sign) for sign in visible(text, lines=False))


def to_latex(rows: Sequence[BoardRow], run: RunRecord, heading: str = "") -> str:
    r"""Write all boards, a ``table*`` each, to be pasted or ``\input``.

    Args:
        rows: from `leaderboard`.
        run: ``run.json``.
        heading: what captions begin with, before the dataset and the split.
    """
    parts = [
        "% \\usepackage{booktabs,graphicx}",
        f"% {visible(' '.join(run.command.split()))}",
        f"% protocol {visible(run.protocol_hash, lines=False)}",
    ]
    for title, section in by_section(rows):
        cost = cost_board(section, run)
        for each in [*boards(section, run), *([cost] if cost else [])]:
            parts.append(_table(each, f"{heading} ({title})" if heading else title))
    return "\n".join(parts) + "\n"


def _table(board: Board, where: str) -> str:
    title = f"{where}: {board.family}{f', {board.lead.lower()}' if board.lead else ''}"
    caption = f"{escape(title)}. "
    if board.family != "cost":
        caption += _MEANS if board.lead else f"{_MEANS} {_TIES}"
    counts = [cell.undefined for row in board.rows for cell in row if cell.undefined]
    marks = {count: f"$^{{{mark}}}$" for mark, count in enumerate(dict.fromkeys(counts), 1)}
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering",
            f"\\caption{{{caption.strip()}}}",
            r"\resizebox{\textwidth}{!}{%",
            f"\\begin{{tabular}}{{ll{'r' * (len(board.header) - 2)}}}",
            r"\toprule",
            _line(escape(name) for name in board.header),
            r"\midrule",
            *(
                _line([*_names(line, row), *(_cell(cell, marks) for cell in row[2:])])
                for line, row in zip(board.lines, board.rows, strict=True)
            ),
            r"\bottomrule",
            r"\end{tabular}}",
            *_footnotes(marks),
            r"\end{table*}",
        ]
    )


def _names(line: BoardRow, row: Sequence[BoardCell]) -> list[str]:
    """Return method and network as papers call them; what stands beside a name stays."""
    method, network = row[0].text, row[1].text
    return [
        escape(method.replace(line.method, method_name(line.method), 1)),
        escape(network.replace(line.model, network_name(line.model), 1) if line.model else network),
    ]


def _footnotes(marks: Mapping[int, str]) -> Iterator[str]:
    """Yield a line for each number of undefined values, which no mean includes."""
    if marks:
        told = [
            f"{mark} without {count} undefined value{'s' * (count > 1)}"
            for count, mark in marks.items()
        ]
        yield rf"\par\smallskip\raggedright\footnotesize {'; '.join(told)}."


def _line(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(cell: BoardCell, marks: Mapping[int, str]) -> str:
    text = escape(cell.text)
    parts = [f"\\textbf{{{text}}}" if cell.bold else text]
    if cell.undefined:
        parts[0] += marks[cell.undefined]
    if cell.interval:
        parts.append(f"{{\\small {escape(cell.interval)}}}")
    if cell.ties:
        parts.append(f"\\textit{{{cell.ties}}}")
    return " ".join(parts)
