"""Whether maps repeat: what other trainings change, beside what images and methods do."""

import numpy as np
import pandas as pd

from xaibench.report.facts.material import Material
from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import headlines
from xaibench.results.records import RunRecord
from xaibench.stats.variance_components import variance_components

COLUMNS = ["dataset", "split", "model", "metric", "component", "variance", "share"]


def repeats(section: Section, material: Material) -> pd.DataFrame:
    """Return a section's lines of ``reproducibility.csv``, in the order of its rows."""
    place = {(row.model, row.method): at for at, row in enumerate(section.rows)}
    table = material.reproducibility
    mine = table[(table["dataset"] == section.dataset) & (table["split"] == section.split)]
    order = [place.get(key, -1) for key in zip(mine["model"], mine["method"], strict=True)]
    found = mine.assign(_place=order).query("_place >= 0")
    return found.sort_values("_place", kind="stable").drop(columns="_place")


def variances(section: Section, run: RunRecord, repeated: pd.DataFrame) -> pd.DataFrame:
    """Split the variance of scores, by the first metric of each family.

    Args:
        section: the scores.
        run: ``run.json``.
        repeated: from `repeats`; only its models' scores are split, over their methods.

    Returns:
        The columns `COLUMNS`: a line for each model, metric and component of the variance
        (`variance_components`), with its share of their sum. What nothing tells is left out.
    """
    labels = [section.units[name].to_numpy() for name in ("sample", "fold", "seed")]
    lines = []
    for model in dict.fromkeys(repeated["model"]):
        places = [at for at in section.ranked if section.rows[at].model == model]
        for metric in headlines(run):
            found = variance_components(section.values[metric][:, places], *labels)
            known = {name: value for name, value in found.items() if not np.isnan(value)}
            total = sum(known.values())
            keys = (section.dataset, section.split, model, metric)
            for name, value in known.items():
                lines.append((*keys, name, value, value / total if total else np.nan))
    return pd.DataFrame(lines, columns=COLUMNS)
