"""The board in numbers: a row for each (dataset, split, model, method)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xaibench.report.facts.material import Material
from xaibench.report.facts.section import ROW, SECTION, Section
from xaibench.report.facts.supervision import supervision_of
from xaibench.report.judging.judge import Judged
from xaibench.results.tables import COSTS, GAP

_KEYS = [*SECTION, *ROW]


def leaderboard(
    material: Material, judged: Sequence[tuple[Section, Mapping[str, Judged]]]
) -> pd.DataFrame:
    """Return one row for each (dataset, split, model, method), over samples, folds and seeds.

    Columns: the keys; ``kind`` (``method``, ``learned`` or ``control``); ``supervision`` of the
    row's method or network (``none``, ``labels``, ``boxes``, ``masks``; empty where nobody says),
    and ``mask_budget``, the share of training masks or boxes in it, else NaN; for each metric
    ``<metric>`` (mean over defined values), ``_n`` and ``_undefined`` (numbers of maps),
    ``_groups`` (independent ones among them), ``_better``, ``_low`` and ``_high`` (95 % interval),
    ``_ties`` (letters), ``_rank_low``, ``_rank_high`` and ``_skill``; what a map costs;
    ``degenerate_maps``; ``protocol``. NaN is what is undefined, unknown or makes no sense.

    Args:
        material: scores, ``run.json`` and the rest.
        judged: its sections, each with what `judge` says.
    """
    parts = [_section(section, found, material) for section, found in judged]
    board = pd.concat(parts, ignore_index=True)
    board = pd.concat([board, _costs(board, material.costs)], axis=1)
    return board.assign(
        degenerate_maps=[row.degenerate for section, _ in judged for row in section.rows],
        protocol=material.run.protocol_hash,
    )


def _section(section: Section, judged: Mapping[str, Judged], material: Material) -> pd.DataFrame:
    run, rows = material.run, section.rows
    pairs = [(row.model, row.method) for row in rows]
    learned = supervision_of(run, section.dataset, pairs)
    columns: dict[str, Any] = {
        "dataset": section.dataset,
        "split": section.split,
        "model": [row.model for row in rows],
        "method": [row.method for row in rows],
        "kind": [row.kind for row in rows],
        "supervision": [each.kind if each else "" for each in learned],
        "mask_budget": [each.share if each and each.localizes else np.nan for each in learned],
    }
    for metric, found in judged.items():
        values, present = section.values[metric], section.present[metric]
        defined = (~np.isnan(values)).sum(axis=0)
        columns |= {
            metric: found.mean,
            f"{metric}_n": defined,
            f"{metric}_undefined": present.sum(axis=0) - defined,
            f"{metric}_groups": section.count_groups(values),
            f"{metric}_better": "higher" if run.metrics[metric].higher_is_better else "lower",
            f"{metric}_low": found.low,
            f"{metric}_high": found.high,
            f"{metric}_ties": found.ties,
            f"{metric}_rank_low": np.where(found.ranks[:, 0] > 0, found.ranks[:, 0], np.nan),
            f"{metric}_rank_high": np.where(found.ranks[:, 1] > 0, found.ranks[:, 1], np.nan),
            f"{metric}_skill": found.skill,
        }
    return pd.DataFrame(columns)


def _costs(board: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Return each row's mean seconds and forwards, and its most memory, over folds and seeds.

    The largest gap of a promised sum, too: runs of earlier versions measured none.
    """
    grouped = costs.groupby(_KEYS)
    names = [*COSTS, GAP] if GAP in costs else COSTS
    found = pd.DataFrame(
        {name: grouped[name].agg("mean" if name in COSTS[:2] else "max") for name in names}
    )
    return found.reindex(pd.MultiIndex.from_frame(board[_KEYS])).reset_index(drop=True)
