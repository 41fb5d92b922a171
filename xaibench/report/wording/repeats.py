"""Whether maps repeat, as tables for people."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from xaibench.core.markdown import markdown_table
from xaibench.report.facts.traits import shown
from xaibench.report.numbers import NONE, number
from xaibench.results.records import RunRecord
from xaibench.results.tables import ALL_PAIRS, LIKENESS
from xaibench.stats.variance_components import COMPONENTS

TITLE = "Do the maps repeat?"
_ABOUT = (
    "The maps of one image, class and method that different trainings of the same network give, "
    "compared in pairs: Spearman's rank correlation over the pixels, structural similarity (SSIM), "
    "the IoU of the pixels that reach half of the maximum, and the distance of the maxima as a "
    "share of the diagonal. Between seeds the training images are the same; between training sets "
    "they differ as well, where repeated folds test the same image. The boards' `reproducibility` "
    "is the rank correlation, the mean over all pairs."
)
_ABOUT_VARIANCES = (
    "What the scores of single maps vary with, by the method of moments (random effects; shares of "
    "the variance, the standard deviation in brackets):"
)


def repeats_to_markdown(
    repeated: pd.DataFrame, variances: pd.DataFrame, run: RunRecord
) -> Iterator[str]:
    """Yield the paragraphs behind a heading; none where nothing was compared."""
    if repeated.empty:
        return
    yield f"### {TITLE}"
    yield _ABOUT
    lines = list(repeated.to_dict("records"))
    kinds = {str(line["between"]) for line in lines}
    if len(kinds) == 2:  # noqa: PLR2004 (one kind of pairs, and all: the same)
        lines = [line for line in lines if line["between"] != ALL_PAIRS]
    yield markdown_table(
        ["method", "model", "between", "images", "pairs", *_names()],
        [
            [
                *(str(line[name]) for name in ("method", "model", "between", "images", "pairs")),
                *(number(float(line[name])) for name in LIKENESS),
            ]
            for line in lines
        ],
    )
    if len(variances):
        known = [name for name in COMPONENTS if (variances["component"] == name).any()]
        yield _ABOUT_VARIANCES
        yield markdown_table(
            ["model", "metric", *known],
            [
                [str(model), shown(run, str(metric)), *(_share(rows, name) for name in known)]
                for (model, metric), rows in variances.groupby(["model", "metric"], sort=False)
            ],
        )


def _names() -> list[str]:
    upper = {"ssim": "SSIM", "iou": "IoU"}
    return [upper.get(name, name.replace("_", " ")) for name in LIKENESS]


def _share(rows: pd.DataFrame, component: str) -> str:
    """Write a component's share and its standard deviation."""
    found = rows[rows["component"] == component]
    if found.empty or np.isnan(found["share"].iloc[0]):
        return NONE
    return f"{found['share'].iloc[0]:.0%} ({number(float(np.sqrt(found['variance'].iloc[0])))})"
