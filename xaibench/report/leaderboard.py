"""From score rows to the board: a row for each (dataset, split, model, method)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xaibench.core.errors import XaibenchError

_KEYS = ["dataset", "split", "model", "method"]
_SECTION = ["dataset", "split"]
_IMAGE = ["dataset", "split", "fold", "model", "seed", "sample"]
_FAMILIES = ("localization", "faithfulness", "complexity")
_NONE = "—"
_DEGENERATE = "constant map|non-finite map"
_NOTES = """\
- ↑ higher is better, ↓ lower is better; the best value that is no control's is bold.
- n counts the scored maps of all folds and seeds, and every map counts once. An undefined value \
(a hit needs a mask that is not empty) is left out of the mean and counted, never taken as 0.
- Degenerate maps are constant or not finite. They stay in: they score as chance when pointing \
and as an empty prediction elsewhere.
- Controls bound the board and are not ranked. A method below the best blind control is worse than \
not looking at the image. Learned methods were trained on the masks of the budget they name."""


def leaderboard(
    scores: pd.DataFrame, run: Mapping[str, Any], predictions: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return one row for each (dataset, split, model, method), over samples, folds and seeds.

    Columns: the keys, ``kind`` (``method``, ``learned`` or ``control``), and for each metric of the
    run ``<metric>`` (mean over defined values, NaN without any), ``<metric>_n``,
    ``<metric>_undefined`` and ``<metric>_better``; at last ``degenerate_maps``. In each dataset and
    split the best by the first localization metric stand first, controls behind all others.

    Args:
        scores: a row for each value: keys, ``fold``, ``seed``, ``sample``, ``metric``, ``value``
            and ``status``.
        run: ``run.json``.
        predictions: where given, ``accuracy`` of the row's model stands behind ``kind``.

    Raises:
        XaibenchError: the run doesn't list a method that has scores.
    """
    value = pd.to_numeric(scores["value"]).astype(float)
    scores = scores.assign(value=value.where(np.isfinite(value)))
    board = scores[_KEYS].drop_duplicates().set_index(_KEYS)
    board["kind"] = [_kind(method, run) for method in board.index.get_level_values("method")]
    if predictions is not None:
        right = predictions["label"] == predictions["prediction"]
        accuracy = right.groupby([predictions[key] for key in _KEYS[:3]], dropna=False).mean()
        board = board.join(accuracy.rename("accuracy"), on=_KEYS[:3])
    for metric, traits in run["metrics"].items():
        of_metric = scores[scores["metric"] == metric]
        found = of_metric.groupby(_KEYS)["value"].agg(["mean", "count", "size"])
        found = found.reindex(board.index)
        board[metric] = found["mean"]
        board[f"{metric}_n"] = found["count"].fillna(0).astype(int)
        board[f"{metric}_undefined"] = (found["size"] - found["count"]).fillna(0).astype(int)
        board[f"{metric}_better"] = "higher" if traits["higher_is_better"] else "lower"
    degenerate = scores[scores["status"].astype(str).str.contains(_DEGENERATE)]
    maps = degenerate.drop_duplicates([*_IMAGE, "method"]).groupby(_KEYS).size()
    board["degenerate_maps"] = maps.reindex(board.index, fill_value=0).astype(int)
    return _sorted(board.reset_index(), run)


def correct_only(
    scores: pd.DataFrame, run: Mapping[str, Any], predictions: pd.DataFrame
) -> pd.DataFrame:
    """Return the `leaderboard` of the images that their model classified correctly."""
    right = predictions.loc[predictions["label"] == predictions["prediction"], _IMAGE]
    return leaderboard(scores.merge(right, on=_IMAGE, validate="many_to_one"), run)


def below_blind(board: pd.DataFrame, run: Mapping[str, Any]) -> list[str]:
    """Name, for each localization metric, the rows that the best blind control beats."""
    blind = [name for name, traits in run["methods"].items() if traits["blind"]]
    lines = []
    for (dataset, split), section in board.groupby(_SECTION, sort=False):
        for metric in _metrics(run, "localization"):
            sign = _sign(run, metric)
            scored = section.dropna(subset=[metric])
            controls = scored[scored["method"].isin(blind) & (scored["kind"] == "control")]
            others = scored[scored["kind"] != "control"]
            if controls.empty:
                continue
            best = controls.iloc[int((sign * controls[metric]).to_numpy().argmax())]
            worse = others[sign * others[metric] < sign * best[metric]]
            names = ", ".join(
                f"{method} on {model} ({value:.3f})"
                for method, model, value in worse[["method", "model", metric]].to_numpy()
            )
            if names:
                head = f"{dataset}, {split}, {_header(run, metric)}"
                lines.append(f"{head}: worse than {best['method']} ({best[metric]:.3f}): {names}")
    return lines


def to_markdown(
    board: pd.DataFrame,
    run: Mapping[str, Any],
    correct: pd.DataFrame | None = None,
    classification: pd.DataFrame | None = None,
) -> str:
    """Write the board as a Markdown document, a part for each dataset and split.

    Args:
        board: from `leaderboard`.
        run: ``run.json``.
        correct: from `correct_only`.
        classification: from `classification_table`.
    """
    parts = [f"# Leaderboard: {run['dataset']}", f"Dataset {run['dataset']}; `{run['command']}`"]
    for (dataset, split), section in board.groupby(_SECTION, sort=False):
        parts += [f"## {dataset}, {split}", *_boards(section, run)]
        if correct is not None:
            same = correct[(correct["dataset"] == dataset) & (correct["split"] == split)]
            parts += _boards(same, run, ", correct predictions only")
    if classification is not None and len(classification):
        rows = [[_plain(value) for value in row] for row in classification.to_numpy(object)]
        parts += ["## Classification", markdown_table([*classification.columns], rows)]
    parts += ["## How to read this", _NOTES]
    if below := below_blind(board, run):
        parts += ["## Worse than not looking at the image", "\n".join(f"- {row}" for row in below)]
    return "\n\n".join(parts) + "\n"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Write a table; ``|`` and line breaks in cells are escaped.

    >>> print(markdown_table(["a|b", "n"], [["x", "1"]]))
    | a\|b | n |
    | --- | --- |
    | x | 1 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_escape, line)) + " |" for line in lines)


def _boards(section: pd.DataFrame, run: Mapping[str, Any], suffix: str = "") -> Iterator[str]:
    for family in _FAMILIES:
        metrics = _metrics(run, family)
        counts = [f"{metric}_{what}" for metric in metrics for what in ("n", "undefined")]
        scored = section[section[counts].sum(axis=1) > 0]
        if scored.empty:
            continue
        ranked = scored[scored["kind"] != "control"]
        controls = scored[scored["kind"] == "control"]
        yield f"### {family.capitalize()}{suffix}"
        if len(ranked):
            yield _board(ranked, run, metrics, bold=True)
        if len(controls):
            yield "Controls, not ranked:"
            yield _board(controls, run, metrics, bold=False)


def _board(
    rows: pd.DataFrame, run: Mapping[str, Any], metrics: Sequence[str], *, bold: bool
) -> str:
    best = {metric: (_sign(run, metric) * rows[metric]).max() for metric in metrics}
    lines = []
    for row in rows.to_dict("records"):
        cells = [_name(row, run), str(row["model"])]
        for metric in metrics:
            top = bold and bool(np.isclose(_sign(run, metric) * row[metric], best[metric]))
            cells.append(_cell(row[metric], row[f"{metric}_undefined"], bold=top))
        n = max(row[f"{metric}_n"] + row[f"{metric}_undefined"] for metric in metrics)
        lines.append([*cells, str(n), str(row["degenerate_maps"])])
    headers = [_header(run, metric) for metric in metrics]
    return markdown_table(["method", "model", *headers, "n", "degenerate maps"], lines)


def _name(row: Mapping[Any, Any], run: Mapping[str, Any]) -> str:
    name = str(row["method"])
    if row["kind"] == "learned":
        return f"{name} (learned, masks for {100 * run['mask_fraction']:g} %)"
    if row["kind"] == "control":
        return f"{name} (control, blind)" if run["methods"][name]["blind"] else f"{name} (control)"
    return name


def _cell(value: float, undefined: int, *, bold: bool) -> str:
    text = _NONE if np.isnan(value) else f"**{value:.3f}**" if bold else f"{value:.3f}"
    return f"{text} ({undefined} undefined)" if undefined else text


def _plain(value: object) -> str:
    if isinstance(value, float):
        return _NONE if np.isnan(value) else f"{value:.3f}"
    return str(value)


def _escape(cell: str) -> str:
    return " ".join(cell.split("\n")).replace("|", "\\|")


def _sorted(board: pd.DataFrame, run: Mapping[str, Any]) -> pd.DataFrame:
    first = next(iter(_metrics(run, "localization") or run["metrics"]), None)
    cost = 0.0 if first is None else -_sign(run, first) * board[first]
    keys = board[[*_SECTION, "method", "model"]].assign(
        control=board["kind"] == "control", cost=cost
    )
    order = keys.sort_values([*_SECTION, "control", "cost", "method", "model"]).index
    return board.loc[order].reset_index(drop=True)


def _kind(method: str, run: Mapping[str, Any]) -> str:
    if method not in run["methods"]:
        raise XaibenchError(f"the scores hold method '{method}', but run.json doesn't list it.")
    family = run["methods"][method]["family"]
    return family if family in ("learned", "control") else "method"


def _metrics(run: Mapping[str, Any], family: str) -> list[str]:
    return [name for name, traits in run["metrics"].items() if traits["family"] == family]


def _sign(run: Mapping[str, Any], metric: str) -> int:
    return 1 if run["metrics"][metric]["higher_is_better"] else -1


def _header(run: Mapping[str, Any], metric: str) -> str:
    return f"{metric} {'↑' if run['metrics'][metric]['higher_is_better'] else '↓'}"
