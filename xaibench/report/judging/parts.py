"""Which test images belong to which part: by class, correctness, size, confidence and number."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.report.facts.material import UNIT, Material
from xaibench.report.facts.section import Floats, Section
from xaibench.report.facts.units import RIGHT

_THIRDS = (1 / 3, 2 / 3)
_OF_IMAGE = ("label", "mask_share", "regions")


class Subgroup(NamedTuple):
    """A part of a slice: which units belong to it, ``(N, models)``, as models may differ.

    ``bounds`` says in words where the part begins and ends.
    """

    slice: str
    name: str
    bounds: str
    chosen: NDArray[np.bool_]


def parts(section: Section, material: Material, models: Sequence[str]) -> Iterator[Subgroup]:
    """Yield the parts that the predictions allow: none without them.

    A map belongs to a part by what its own model says where that matters (correct, confidence).
    """
    known = _aligned(section, material.predictions, models)
    if known is None:
        return
    label, said = known["label"], known["prediction"]
    for index, name in enumerate(material.run.of_dataset(section.dataset).classes):
        yield Subgroup("class", str(name), "", label == index)
    right = known[RIGHT] if RIGHT in known else np.where(np.isnan(said), np.nan, said == label)
    yield Subgroup("prediction", "correct", "the row's own model is right", right == 1)
    yield Subgroup("prediction", "wrong", "the row's own model is wrong", right == 0)
    if "mask_share" in known:
        yield from _sizes(section, known["mask_share"])
    if "regions" in known:
        count = known["regions"]
        yield Subgroup("regions", "one", "one connected region in the mask", count == 1)
        yield Subgroup("regions", "several", "two or more connected regions", count > 1)
    yield from _confidences(known["confidence"], models)


def _sizes(section: Section, share: Floats) -> Iterator[Subgroup]:
    """Divide images with a mask into thirds, each image counted once."""
    once = ~section.units.duplicated("sample").to_numpy() & (share[:, 0] > 0)
    if not once.any():
        return
    small, large = np.quantile(share[once, 0], _THIRDS)
    texts = (f"up to {small:.1%} of the image", f"{small:.1%} to {large:.1%}", f"above {large:.1%}")
    chosen = ((share > 0) & (share <= small), (share > small) & (share <= large), share > large)
    for name, text, inside in zip(("small", "medium", "large"), texts, chosen, strict=True):
        yield Subgroup("mask size", name, text, inside)


def _confidences(confidence: Floats, models: Sequence[str]) -> Iterator[Subgroup]:
    """Divide each model's maps into thirds of its own confidence."""
    chosen = np.zeros((3, *confidence.shape), bool)
    texts: list[list[str]] = [[], [], []]
    for column, model in enumerate(models):
        values = confidence[:, column]
        if np.isnan(values).all():
            continue
        low, high = np.nanquantile(values, _THIRDS)
        inside = (values <= low, (values > low) & (values <= high), values > high)
        chosen[:, :, column] = inside
        words = (f"up to {low:.3f}", f"{low:.3f} to {high:.3f}", f"above {high:.3f}")
        for text, word in zip(texts, words, strict=True):
            text.append(f"{model}: {word}")
    for name, text, part in zip(("low", "medium", "high"), texts, chosen, strict=True):
        yield Subgroup("confidence", name, "; ".join(text), part)


def _aligned(
    section: Section, predictions: pd.DataFrame, models: Sequence[str]
) -> dict[str, Floats] | None:
    """Return what is known of each unit and model, ``(N, models)``; NaN where it isn't."""
    mine = predictions[
        (predictions["dataset"] == section.dataset) & (predictions["split"] == section.split)
    ]
    if mine.empty:
        return None
    shape = len(section.units), len(models)
    images = mine.drop_duplicates("sample").set_index("sample").reindex(section.units["sample"])
    found = {
        name: np.broadcast_to(pd.to_numeric(images[name]).to_numpy(float)[:, None], shape)
        for name in _OF_IMAGE
        if name in images
    }
    units = pd.MultiIndex.from_frame(section.units[UNIT])
    confidences = [name for name in mine if str(name).startswith("confidence_")]
    told = [name for name in ("prediction", RIGHT) if name in mine]
    found |= {name: np.full(shape, np.nan) for name in (*told, "confidence")}
    for column, model in enumerate(models):
        own = mine[mine["model"] == model].drop_duplicates(UNIT).set_index(UNIT).reindex(units)
        for each in told:
            found[each][:, column] = pd.to_numeric(own[each])
        for name in confidences:  # the predicted class's is the highest
            own_values = pd.to_numeric(own[name]).to_numpy(float)
            found["confidence"][:, column] = np.fmax(found["confidence"][:, column], own_values)
    return found
