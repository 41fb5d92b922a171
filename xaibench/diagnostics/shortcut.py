"""The shortcut: does a method point at the marker when the classifier uses it?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor

from xaibench.core.contract import MASK_WORDS
from xaibench.core.model import Model
from xaibench.core.passes.device import choose_device, place_images
from xaibench.core.passes.engine import Engine
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.core.resemblance import Floats
from xaibench.diagnostics.finding import FAIL, PASS, UNDECIDED, Finding
from xaibench.diagnostics.interval import interval
from xaibench.diagnostics.subject import maps_of
from xaibench.diagnostics.twins import ABSENT, LYING, SILENT, TELLING, labels_of, pictures, twin
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.setup.building import missing_word
from xaibench.setup.selection import Selection

NAME = "shortcut"
# On one image in five more than for the twin that has no reason to look at the marker.
_CLEARLY = 0.2
# A classifier uses the marker if it is right while the marker is and wrong when the marker lies;
# its twin doesn't if a lying marker changes little.
_RIGHT, _WRONG, _LITTLE = 0.9, 0.5, 0.15
# A cell of a CAM can't point more closely than this share of the diagonal.
_TOLERANCE = 0.1
_MALIGNANT = 1
_UNSEEN = 1  # the twins learn from seed 0


class MarkerUse(NamedTuple):
    """Accuracy with markers that tell the class, that lie, and without any."""

    telling: float
    lying: float
    absent: float

    @property
    def relies(self) -> bool:
        """Whether the marker decides."""
        return self.telling >= _RIGHT and self.lying <= _WRONG

    @property
    def ignores(self) -> bool:
        """Whether the marker changes little."""
        return abs(self.telling - self.lying) <= _LITTLE


def verdict_of(
    hits: Floats, twins_hits: Floats, groups: Sequence[str]
) -> tuple[str, tuple[float, float]]:
    """Return the verdict on hits ``(B,)`` in the marker, and the interval of the difference.

    Chance is the same method on the same images for a twin network to which the marker says
    nothing: a method that sees a bright cross wherever it is gains nothing over that. It passes
    where the 95 % interval of the gain lies above 0.2, and fails where it lies below.
    """
    low, high = interval(hits - twins_hits, groups)
    return PASS if low > _CLEARLY else FAIL if high < _CLEARLY else UNDECIDED, (low, high)


def shortcut(selection: Selection, model: Bound, images: int) -> Iterator[Finding]:
    """Train a network that uses the marker and a twin that doesn't; yield a row for each method.

    Explained is the class malignant, on malignant images that all carry a marker and that neither
    network has seen.
    """
    user, other = twin(selection, model, TELLING), twin(selection, model, SILENT)
    use, twins_use = (_use(selection, network, images) for network in (user, other))
    for stage, found in (("classifier", use), ("its twin", twins_use)):
        values = {f"accuracy_{name}": value for name, value in found._asdict().items()}
        yield Finding(NAME, model.spec, "none", stage, 2 * images, values)
    probe = _probe(selection, images)
    methods = [
        m
        for m in selection.methods
        if not MASK_WORDS & set(m.plugin.signature.words)
        and missing_word(m, user, selection.blank) is None
    ]
    ours, theirs = (
        maps_of(engine, methods, [probe.batch(engine)], seed=0)
        for engine in (selection.engine(user), selection.engine(other))
    )
    for spec, maps in ours.items():
        about = (NAME, model.spec, spec, "marked images")
        twins_maps = theirs[spec]
        if isinstance(maps, str) or isinstance(twins_maps, str):
            why = f"failed: {maps if isinstance(maps, str) else twins_maps}"
            yield Finding(*about, 0, verdict=UNDECIDED, why=why)
        else:
            yield _tell(about, probe, maps, twins_maps, sure=use.relies and twins_use.ignores)


@dataclass(frozen=True)
class _Probe:
    """Marked malignant images: pixels, and where marker and lesion lie, ``(B, H, W)``."""

    ids: Sequence[str]
    images: Tensor
    markers: Tensor
    lesions: Tensor

    def batch(self, engine: Engine) -> ImageBatch:
        """Ask for the class malignant."""
        malignant = torch.full((len(self.ids),), _MALIGNANT, device=self.images.device)
        annotated = [True] * len(self.ids)
        return ImageBatch(
            self.ids, self.images, self.markers, annotated, {"label": malignant}, engine.predict
        )


def _probe(selection: Selection, images: int) -> _Probe:
    device, size = choose_device(selection.options.device), selection.options.image_size
    marked = pictures(2 * images, TELLING, size=size, seed=_UNSEEN, mask="marker")
    lesions = pictures(2 * images, TELLING, size=size, seed=_UNSEEN).masks
    rows = [row for row, sample in enumerate(marked.samples) if sample.label == _MALIGNANT]
    ids = [marked.samples[row].id for row in rows]
    pixels = place_images(marked.images[rows], device)
    return _Probe(ids, pixels, marked.masks[rows].to(device), lesions[rows].to(device))


def _use(selection: Selection, network: Model, images: int) -> MarkerUse:
    engine, size = selection.engine(network), selection.options.image_size
    accuracies: list[float] = []
    for marked in (TELLING, LYING, ABSENT):
        loaded = pictures(2 * images, marked, size=size, seed=_UNSEEN)
        predicted = engine.predict(place_images(loaded.images, engine.device)).argmax(dim=1)
        right = predicted == labels_of(loaded, engine.device)
        accuracies.append(float(right.float().mean()))
    return MarkerUse(*accuracies)


def _tell(
    about: tuple[str, str, str, str], probe: _Probe, maps: Maps, twins_maps: Maps, *, sure: bool
) -> Finding:
    hits, twins_hits = (_hits(each.values, probe.markers) for each in (maps, twins_maps))
    verdict, (low, high) = verdict_of(hits, twins_hits, probe.ids)
    values = {
        "marker_hits": hits.mean(),
        "twin_marker_hits": twins_hits.mean(),
        "chance_marker_hits": _hits(torch.ones_like(maps.values), probe.markers).mean(),
        "gain_low": low,
        "gain_high": high,
        "lesion_hits": _hits(maps.values, probe.lesions).mean(),
        "marker_mass": _score("mass_in_mask", maps.values, probe.markers).mean(),
        "twin_marker_mass": _score("mass_in_mask", twins_maps.values, probe.markers).mean(),
        "lesion_mass": _score("mass_in_mask", maps.values, probe.lesions).mean(),
    }
    why = (
        f"peak at the marker on {values['marker_hits']:.0%} of the images, on "
        f"{values['twin_marker_hits']:.0%} for the twin (gain {low:.2f} to {high:.2f})"
    )
    if not sure:
        verdict = UNDECIDED
        why = f"the classifier doesn't clearly use the marker, or its twin does; {why}"
    figures = {name: float(value) for name, value in values.items()}
    return Finding(*about, len(probe.ids), figures, verdict, why)


def _hits(maps: Tensor, masks: Tensor) -> Floats:
    return _score(f"hit_rate[tolerance={_TOLERANCE}]", maps, masks)


def _score(metric: str, maps: Tensor, masks: Tensor) -> Floats:
    values: Tensor = bind("metric", metric)(SimpleNamespace(maps=maps, masks=masks))
    found: Floats = values.double().cpu().numpy()
    return found
