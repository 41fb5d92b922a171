"""What a metric's number means, as data: shown by ``xaibench metrics NAME`` and in reports."""

import inspect
import re

from xaibench.core.baselines import BASELINES
from xaibench.core.bibliography import reference_of
from xaibench.core.plugin import Bound, MetricTraits
from xaibench.core.spec import as_text

_TARGETS = {
    "label": "the true class",
    "predicted": "the predicted class",
    "each": "each of an image's classes that --target names, one map and one value for each",
}
_MASKS = {
    "filled": "not empty; an empty one is undefined: NaN and counted, never 0 and never a hit",
    "empty": "empty; any other is undefined: NaN and counted, never 0",
    "any": "any, empty or not",
}
# Words through which a metric shows the model other images than the dataset's.
_ASKS_AGAIN = frozenset({"predict", "respond", "explain", "covered_confidence"})


def define(metric: Bound, target: str | None = None) -> dict[str, str]:
    """Return a metric's definition under its options: plain text by entry, in order.

    Args:
        metric: with its options.
        target: the class explained, ``label`` or ``predicted``; by default the metric's own.
    """
    traits: MetricTraits = metric.plugin.traits
    words = metric.plugin.signature.words
    value, notes, explained = _read(metric)
    masked = "masks" in words
    return {
        "measures": metric.plugin.summary,
        "value": value,
        "notes": notes or "none",
        "direction": f"{'higher' if metric.higher_is_better else 'lower'} is better",
        "bounds": " to ".join(f"{bound:g}" for bound in traits.bounds),
        "board": traits.family,
        "ranked": "yes" if traits.ranked else "never: it chose by the truth that it is judged by",
        "estimand": "pooled: one value of all images together; an image's is what it adds to that"
        if traits.pool
        else "per image, then the mean over images",
        "target": _TARGETS[target or traits.target]
        + ("" if target else ", unless --target says otherwise"),
        "normalization": "as the method declares: sign rule relu, abs or none; then min-max per "
        "image, or none for probabilities; constant and non-finite maps become zeros",
        "resize": "maps bilinear to the network's input size, align_corners=False"
        + ("; masks nearest; under --score-at original both at the image's own" if masked else ""),
        "mask rule": _MASKS[traits.counted] if masked else "not asked for",
        "threshold source": traits.threshold,
        "tie rule": traits.ties,
        "covering": "in pixel space, before the network's normalization"
        if _ASKS_AGAIN & set(words)
        else "none",
        "baseline": _baseline(metric),
        "needs": ", ".join(words),
        "options": "\n".join(
            f"{key}={as_text(setting)}" + (f": {explained[key]}" if key in explained else "")
            for key, setting in _settings(metric).items()
        )
        or "none",
        "paper": reference_of(metric.plugin) or "none",
    }


def _settings(metric: Bound) -> dict[str, object]:
    declared = metric.plugin.signature.options
    return {key: metric.options.get(key, option.default) for key, option in declared.items()}


def _baseline(metric: Bound) -> str:
    chosen = _settings(metric).get("baseline")
    if chosen is None:
        return str(metric.plugin.traits.baseline)
    return f"{chosen}: {BASELINES[str(chosen)]}" if chosen in BASELINES else str(chosen)


def _read(metric: Bound) -> tuple[str, str, dict[str, str]]:
    """Return a docstring's first paragraph, the others, and what it says of each option."""
    text = inspect.cleandoc(metric.plugin.function.__doc__ or "").partition("\n>>>")[0]
    first, *others = (part for part in text.split("\n\n") if part.strip())
    value = re.sub(r",( shape)? \(B,\)", "", " ".join(first.split()).removeprefix("Return "))
    notes = [" ".join(part.split()) for part in others if not re.match(r"\w+:\n", part)]
    options = next((part for part in others if part.startswith("Options:\n")), "")
    said = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", options, re.MULTILINE)
    explained = {key: " ".join(sentence.split()).rstrip(".") for key, sentence in said}
    return value, " ".join(notes).replace("``", ""), explained
