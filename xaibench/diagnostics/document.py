"""``diagnostics.md``: what each diagnosis means, its limits and its figures."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from xaibench.core.markdown import markdown_table
from xaibench.diagnostics import (
    baseline_sensitivity,
    classifier_dependence,
    gaming,
    randomization,
    shortcut,
)

_MEANINGS: Mapping[str, tuple[str, str]] = {
    randomization.NAME: (
        "Does the map change when what the network learned is lost?",
        "Layers get random weights from the last to the first, and maps are compared with the "
        "original ones by Spearman's rank correlation and SSIM, averaged down to 64 pixels a side. "
        "Chance is what the original maps of different images have in common. **Fails** where, "
        "with all layers random, half of the way from chance to identity is kept, by either "
        "measure and beyond a 95 % bootstrap interval: such a map shows the image, not the "
        "network. Controls look at no weights and must fail. One draw of random weights is "
        "looked at; images whose original map is constant are left out.",
    ),
    classifier_dependence.NAME: (
        "Does the map change with the decision that it is to explain?",
        "The classification head gets random weights, or the most likely other class is explained. "
        "**Fails** where both rank correlation and SSIM stay at 0.95 or more: a learned map that "
        "doesn't change may show a lesion, but explains nothing. Of two classes the gradients "
        "often mirror each other, so that methods without a sign may fail for another class; that "
        "is no fault of theirs alone.",
    ),
    baseline_sensitivity.NAME: (
        "Does what is in the covered place decide which method wins?",
        "Methods are ranked by the run's faithfulness metrics under black, mean and blurred "
        "baselines, and under both ways of covering; controls don't compete. **Passes** where the "
        "winner stays and Kendall's tau is 0.5 or more (a quarter of all pairs change places) in "
        "all comparisons. **Fails** where methods change places beyond chance: their order is the "
        "baseline's, not theirs. **Undecided** where there are too few images to tell. Intervals "
        "are 95 %, not corrected for the number of pairs.",
    ),
    gaming.NAME: (
        "Can a metric be won by maps that no network had a part in?",
        "Of 200 such maps (blobs, the image blurred or between two of its grays, the average "
        "training mask, and for metrics that don't ask for the truth the mask under noise) the "
        "best on one half of the images is compared on the other half with the method that is best "
        "there. **Fails** where it is better beyond a 95 % bootstrap interval of the paired "
        "difference: what the metric rewards then isn't what the network does, and no row leads by "
        "it. **Passes** where it is worse. One model, fold and seed; images whose own network "
        "isn't asked cost nothing, faithfulness metrics their passes 200 times.",
    ),
    shortcut.NAME: (
        "Does the map point at a marker when the classifier uses it?",
        "A network is trained on phantoms whose corner marker tells the class, a twin on the same "
        "tissue with markers that say nothing. On unseen marked images the peak should lie at the "
        "marker (within 10 % of the diagonal) for the one and not for the other. **Passes** where "
        "the 95 % interval of the gain over the twin lies above 0.2, **fails** where it lies "
        "below. The accuracies show that the one network goes by the marker and the other doesn't.",
    ),
}  # fmt: skip


def to_markdown(frame: pd.DataFrame, about: Sequence[str]) -> str:
    """Return the page: a verdict for each method first, then all figures.

    Args:
        frame: from `tabulate`.
        about: lines that say what was diagnosed.
    """
    parts = ["# Diagnostics", *about,
             "Pass or fail, never a rank: a method that passes is not better for it, and one that "
             "fails answers another question than the one it is asked."]  # fmt: skip
    for name, rows in frame.groupby("diagnostic", sort=False):
        question, meaning = _MEANINGS[str(name)]
        parts += [f"## {name}", f"{question} {meaning}"]
        judged = rows[rows["verdict"] != ""]
        parts.append(_table(judged[["verdict", "model", "method", "stage", "n", "why"]]))
        figures = rows.drop(columns=["diagnostic", "why"]).dropna(axis=1, how="all")
        if len(rows) > len(judged):
            parts += ["All stages:", _table(figures)]
    return "\n\n".join(parts) + "\n"


def summarize(frame: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each diagnostic, model and stage: who passes, who fails."""
    judged = frame[frame["verdict"] != ""]
    for (name, model, stage), rows in judged.groupby(["diagnostic", "model", "stage"], sort=False):
        found = rows.groupby("verdict", sort=False)["method"]
        verdicts = "; ".join(f"{verdict} {', '.join(methods)}" for verdict, methods in found)
        yield f"{name}, {model}, {stage}: {verdicts}"


def _table(frame: pd.DataFrame) -> str:
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    return markdown_table(list(frame.columns), rows)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "—" if pd.isna(value) else f"{value:.3g}"
    return str(value)
