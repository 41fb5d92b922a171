"""Weight randomization: does a map change when what the network learned is lost?

Layers get random weights one after the other, from the last to the first (adebayo2018sanity). A
method whose maps stay as they are shows the image, not the network.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from xaibench.core.networks.random_weights import layers_in_order, with_random_weights
from xaibench.core.resemblance import Floats, Resemblance, chance, resemblance, shrink
from xaibench.diagnostics.finding import FAIL, PASS, UNDECIDED, Finding
from xaibench.diagnostics.interval import interval
from xaibench.diagnostics.subject import Subject

NAME = "randomization"
# Shares of the layers at which maps are looked at, beside the last layer alone.
_DEPTHS = (0.25, 0.5, 0.75, 1.0)
# Half of the way from chance to identity: at more, more of a map stays than goes.
_KEPT = 0.5
# Maps that are alike for all images (the center) would leave no room between chance and identity.
_MOST_CHANCE = 0.95


def limit_of(by_chance: Floats) -> Floats:
    """Return the resemblance at which half of the way from chance to identity is kept.

    Chance is what a map has in common with other images' maps of the same method, so that what all
    its maps share, such as a bright middle or empty rims, doesn't count for the image's own.
    """
    clipped = by_chance.clip(0, _MOST_CHANCE)
    limit: Floats = clipped + _KEPT * (1 - clipped)
    return limit


def verdict_of(
    kept: Resemblance, by_chance: Resemblance, groups: Sequence[str]
) -> tuple[str, str, dict[str, float]]:
    """Return the verdict on maps of a network without anything learned, why, and the figures.

    It fails where the maps keep half of the way or more, by rank or by structure, with a 95 %
    interval over images; it passes where they clearly keep less by both.

    Args:
        kept: resemblance of each map to the original, ``(B,)``.
        by_chance: of each original to other images' originals, ``(B,)``.
        groups: images of one group are drawn together.
    """
    verdicts: list[str] = []
    figures: dict[str, float] = {}
    said: list[str] = []
    for name, ours, theirs in (
        ("rank_correlation", kept.rank, by_chance.rank),
        ("ssim", kept.structure, by_chance.structure),
    ):
        limits = limit_of(theirs)
        defined = ~np.isnan(ours)
        if not defined.any():
            continue
        low, high = interval(ours - limits, groups)
        figures[name] = float(ours[defined].mean())
        figures[f"{name}_chance"] = float(theirs[defined].mean())
        figures[f"{name}_limit"] = float(limits[defined].mean())
        verdicts.append(FAIL if low >= 0 else PASS if high < 0 else UNDECIDED)
        said.append(f"{name} {figures[name]:.2f} (limit {figures[f'{name}_limit']:.2f})")
    for verdict in (FAIL, UNDECIDED, PASS):
        if verdict in verdicts:
            return verdict, ", ".join(said), figures
    return UNDECIDED, "no map to judge", figures


def stages(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield what to call a stage and which layers are random then, from the last layer to all."""
    counts = sorted({1, *(max(round(depth * len(names)), 1) for depth in _DEPTHS)})
    for count in counts:
        yield f"last {count} of {len(names)} layers random", list(names[-count:])


def randomization(subject: Subject) -> Iterator[Finding]:
    """Yield a row for each method and stage; the last stage, all layers random, has the verdict."""
    originals = {spec: shrink(maps.values) for spec, maps in subject.maps.items()}
    names = layers_in_order(subject.model, subject.images)
    for stage, chosen in stages(names):
        model = with_random_weights(subject.model, chosen, subject.images, seed=subject.seed)
        found = subject.maps_of(model)
        for spec, maps in found.items():
            about = (NAME, subject.name, spec, stage)
            if isinstance(maps, str):
                yield Finding(*about, 0, verdict=UNDECIDED, why=f"failed: {maps}")
                continue
            rows = subject.usable(spec)
            yield _compare(
                about,
                originals[spec][rows],
                shrink(maps.values)[rows],
                [g for g, row in zip(subject.groups, rows, strict=True) if row],
                last=len(chosen) == len(names),
            )


def _compare(
    about: tuple[str, str, str, str],
    ours: Floats,
    theirs: Floats,
    groups: Sequence[str],
    *,
    last: bool,
) -> Finding:
    if not len(ours):
        verdict = UNDECIDED if last else ""
        return Finding(*about, 0, {}, verdict, "all original maps are constant or not finite")
    verdict, why, figures = verdict_of(resemblance(ours, theirs), chance(ours), groups)
    values: Mapping[str, float] = figures
    return Finding(*about, len(ours), values, verdict if last else "", why if last else "")
