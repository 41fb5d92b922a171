"""The board for people: tables of finished cells, which Markdown, LaTeX and terminal then print."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from xaibench.core.completeness import TOLERANCE
from xaibench.core.contract import METHOD_FAMILIES
from xaibench.core.supervision import in_words
from xaibench.report.facts.traits import FAMILIES, header, metrics_of, shown
from xaibench.report.judging.estimates import BoardRow
from xaibench.report.numbers import NONE, is_fine, number, span
from xaibench.report.wording.beside import beside_cell, margin_shown
from xaibench.report.wording.board_table import TIED, Board, BoardCell, BoardColumn
from xaibench.results.records import RunRecord
from xaibench.results.tables import COSTS, GAP
from xaibench.stats.ranks import tie_letters

_WIDEST = 4  # metrics side by side
_LARGE = 1000
_MOST_LETTERS = 4
_NAMES = (BoardColumn("method", "name"), BoardColumn("model", "name"))
_COST_HEADERS = ("s per image", "forwards per image", "peak MB")


def boards(rows: Sequence[BoardRow], run: RunRecord, widest: int = _WIDEST) -> Iterator[Board]:
    """Yield the tables of one dataset and split: a part for each family of metrics.

    In each part the rows that compete are first, then the controls, then the metrics that never
    rank; more than ``widest`` ranked metrics are divided over several tables.
    """
    for family in FAMILIES:
        ranked = [m for m in metrics_of(run, family, ranked=True) if _scored(rows, [m])]
        for chosen in np.array_split(ranked, -(-len(ranked) // widest)) if ranked else ():
            ordered = _in_order(rows, run, ranked[0])
            yield from _family(ordered, run, family, [str(metric) for metric in chosen])
        bounds = [m for m in metrics_of(run, family, ranked=False) if _scored(rows, [m])]
        if bounds:
            compete = [row for row in _scored(rows, bounds[:1]) if row.kind != "control"]
            ordered = _in_order(compete, run, bounds[0])
            yield _table(ordered, run, family, "Upper bounds, never ranked", bounds, compete=False)


def cost_board(rows: Sequence[BoardRow], run: RunRecord) -> Board | None:
    """Return what a map of each row costs, or None where nobody measured."""
    compete = (row for row in rows if row.kind != "control")
    rows = [row for row in compete if not np.isnan([row.cost(name) for name in COSTS]).all()]
    if not rows:
        return None
    promised = is_promised(rows)
    cells = [
        [
            *_names(row, run),
            *(BoardCell(_cost(row.cost(n)), value=_known(row.cost(n))) for n in COSTS),
            *([BoardCell(_gap(row.cost(GAP)), value=_known(row.cost(GAP)))] if promised else []),
        ]
        for row in rows
    ]
    titles = [*_COST_HEADERS, *(["missed of the sum"] if promised else [])]
    columns = [*_NAMES, *(BoardColumn(title, "cost") for title in titles)]
    return Board("cost", "", columns, cells, rows)


def is_promised(rows: Sequence[BoardRow]) -> bool:
    """Whether any row's method promises a sum."""
    return not all(np.isnan(row.cost(GAP)) for row in rows)


def _family(
    rows: Sequence[BoardRow], run: RunRecord, family: str, metrics: list[str]
) -> Iterator[Board]:
    rows = _scored(rows, metrics)
    compete = [row for row in rows if row.kind != "control"]
    controls = [row for row in rows if row.kind == "control"]
    if compete:
        yield _table(compete, run, family, "", metrics, compete=True)
    if controls:
        lead = "Controls, not ranked"
        yield _merged(_table(controls, run, family, lead, metrics, compete=False))


def _table(
    rows: Sequence[BoardRow],
    run: RunRecord,
    family: str,
    lead: str,
    metrics: list[str],
    *,
    compete: bool,
) -> Board:
    first = metrics[0]
    ranks = compete and any(row.estimates[first].rank_high > 0 for row in rows)
    skills = compete and not all(np.isnan(row.estimates[first].skill) for row in rows)
    reaches = compete and not all(np.isnan(row.estimates[first].reached) for row in rows)
    margin = margin_shown(rows, run, first) if compete else 0
    depends = not all(np.isnan(row.dependence) for row in rows)
    repeats = not all(np.isnan(row.reproducibility) for row in rows)
    cells = [_column(rows, run, metric, compete=compete) for metric in metrics]
    table = []
    for place, row in enumerate(rows):
        maps = max(row.estimates[metric].maps for metric in metrics)
        line = [*_names(row, run), *(column[place] for column in cells)]
        found = row.estimates[first]
        if ranks:
            low, high = found.rank_low, found.rank_high
            text = NONE if np.isnan(low) else _steps(low, high)
            line.append(BoardCell(text, value=_known(low), low=_known(low), high=_known(high)))
        if skills:
            line.append(BoardCell(number(found.skill), value=_known(found.skill)))
        if reaches:
            line.append(BoardCell(number(found.reached), value=_known(found.reached)))
        if margin:
            line.append(beside_cell(found))
        if depends:
            line.append(BoardCell(number(row.dependence), value=_known(row.dependence)))
        if repeats:
            known = _known(row.reproducibility)
            line.append(BoardCell(number(row.reproducibility), value=known))
        line += [BoardCell(str(n), value=float(n)) for n in (maps, row.degenerate_maps)]
        table.append(line)
    columns = [
        *_NAMES,
        *(BoardColumn(header(run, metric), "estimate", metric) for metric in metrics),
        *([BoardColumn(f"rank by {shown(run, first)}", "rank", first)] if ranks else []),
        *([BoardColumn(f"skill by {shown(run, first)}", "skill", first)] if skills else []),
        *([BoardColumn(f"reached by {shown(run, first)}", "reach", first)] if reaches else []),
        *([BoardColumn(f"within {margin:g} of the best", "beside", first)] if margin else []),
        *([BoardColumn("dependence", "dependence")] if depends else []),
        *([BoardColumn("reproducibility", "repeats")] if repeats else []),
        *(BoardColumn(title, "count") for title in ("maps", "degenerate")),
    ]
    return Board(family, lead, columns, table, rows, metrics)


def _column(
    rows: Sequence[BoardRow], run: RunRecord, metric: str, *, compete: bool
) -> list[BoardCell]:
    found = [row.estimates[metric] for row in rows]
    values, counts = (np.array([getattr(e, name) for e in found], float) for name in ("value", "n"))
    known, fine = not np.isnan(values).all(), is_fine(values)
    # A row that lacks images may look best without them.
    whole = counts == counts.max()
    ordered = np.where(whole, run.metrics[metric].sign * values, np.nan)
    best = int(np.nanargmax(ordered)) if known else 0
    top = number(values[best], fine)
    letters = [tie_letters(each.ties) if compete else [] for each in found]
    ties = _ties([each.ties for each in found], best) if compete and known else [""] * len(rows)
    leads = compete and known and metric not in (run.won or {})
    return [
        BoardCell(
            number(each.value, fine),
            # As printed: of two equal numbers not one alone may look better.
            bool(leads and whole[place] and number(each.value, fine) == top),
            span(each.low, each.high, fine),
            ties[place],
            each.undefined,
            _known(each.value),
            _known(each.low),
            _known(each.high),
            (*letters[place], *([TIED] if set(letters[place]) & set(letters[best]) else [])),
        )
        for place, each in enumerate(found)
    ]


def _ties(letters: list[str], best: int) -> list[str]:
    """Return the letters; where they are too many to read, which rows tie with the best one."""
    named = [set(tie_letters(text)) for text in letters]
    if max(map(len, named)) <= _MOST_LETTERS:
        return letters
    return [TIED if place != best and own & named[best] else "" for place, own in enumerate(named)]


def _merged(board: Board) -> Board:
    """Name a control once where it scores the same beside every model, as blind ones do."""
    by_name: dict[BoardCell, list[int]] = {}
    for place, row in enumerate(board.rows):
        by_name.setdefault(row[0], []).append(place)
    rows: list[list[BoardCell]] = []
    lines: list[BoardRow] = []
    for name, places in by_name.items():
        first = board.rows[places[0]]
        seen = {tuple(cell.printed for cell in board.rows[place][2:]) for place in places}
        if len(places) > 1 and len(seen) == 1:
            rows.append([name, BoardCell(f"all {len(places)}"), *first[2:]])
            lines.append(replace(board.lines[places[0]], model=""))
        else:
            rows += [board.rows[place] for place in places]
            lines += [board.lines[place] for place in places]
    return board._replace(rows=rows, lines=lines)


def _names(row: BoardRow, run: RunRecord) -> Sequence[BoardCell]:
    about, model = run.methods[row.method], row.model
    learned = in_words(row.supervision, row.mask_budget)
    said = {
        "learned": ["learned", learned],
        "control": ["control", *(["blind"] if about.blind else [])],
        "method": [
            *([] if about.family in METHOD_FAMILIES else [about.family]),
            *([learned] if about.supervision or about.learned else []),
        ],
    }[row.kind]
    method = (about.title or row.method) + (f" ({', '.join(said)})" if said else "")
    model += " †" * (row.kind == "method" and row.mask_budget > 0)
    return BoardCell(method), BoardCell(model)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _steps(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"


def _scored(rows: Sequence[BoardRow], metrics: Sequence[str]) -> list[BoardRow]:
    """Return the rows that have maps for any of some metrics."""
    return [row for row in rows if any(row.estimates[metric].maps for metric in metrics)]


def _in_order(rows: Sequence[BoardRow], run: RunRecord, metric: str) -> list[BoardRow]:
    """Order by a metric; equal rows stay as they were."""
    way = run.metrics[metric].sign
    return sorted(rows, key=lambda row: float(np.nan_to_num(-way * row.value(metric), nan=np.inf)))


def _gap(value: float) -> str:
    said = NONE if np.isnan(value) else f"{100 * value:.2g} %"
    return f"{said} (incomplete)" if value > TOLERANCE else said


def _cost(value: float) -> str:
    if np.isnan(value):
        return NONE
    return f"{value:.3g}" if value < _LARGE else f"{value:.0f}"
