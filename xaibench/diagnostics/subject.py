"""What is diagnosed: a trained model, some test images, and the maps of the run's methods."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xaibench.core.contract import MASK_WORDS, TRAINING_WORDS
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import OK
from xaibench.core.model import Model
from xaibench.core.passes.engine import Engine
from xaibench.core.plugin import Bound
from xaibench.explaining.batch import ImageBatch, Maps, concatenate, read_maps
from xaibench.explaining.choose_images import choose_images, class_explained
from xaibench.explaining.run_session import RunSession
from xaibench.explaining.session import Session
from xaibench.explaining.source import Explained, MapSource
from xaibench.results.maps import MapReader, map_files
from xaibench.setup.cells import Ledger
from xaibench.setup.selection import Selection
from xaibench.setup.several import refuse_several

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """A trained model with test images and what its methods say of them.

    Attributes:
        name: the model's canonical name.
        model: in evaluation mode; diagnostics work on copies of it.
        engine_of: makes the engine that explains with a model, as the run's options say.
        kind: which class is explained, ``predicted`` or ``label``.
        batches: test images with their targets of that kind.
        groups: for each image what it is drawn with when intervals are made.
        methods: those that have maps.
        maps: of each method on all images, as the run made them, by canonical name.
        seed: of methods that draw random numbers.
        mean_mask: gives the average ``(H, W)`` of the training masks that may be seen, or None.
    """

    name: str
    model: Model
    engine_of: Callable[[Model], Engine]
    kind: str
    batches: Sequence[ImageBatch]
    groups: Sequence[str]
    methods: Sequence[Bound]
    maps: Mapping[str, Maps]
    seed: int
    mean_mask: Callable[[], Tensor | None] = lambda: None

    @property
    def images(self) -> Tensor:
        """All images ``(B, C, H, W)``."""
        return torch.cat([batch.images for batch in self.batches])

    @property
    def targets(self) -> Tensor:
        """The classes that are explained, ``(B,)``."""
        return torch.cat([batch.targets[self.kind] for batch in self.batches])

    def usable(self, spec: str) -> NDArray[np.bool_]:
        """Return for which images a method's original map is neither constant nor not finite."""
        return np.array([status == OK for status in self.maps[spec].statuses], np.bool_)

    def maps_of(self, model: Model, targets: Tensor | None = None) -> dict[str, Maps | str]:
        """Return each method's maps of another model, or of other classes; or why it failed."""
        engine = self.engine_of(model)
        sizes = [len(batch.ids) for batch in self.batches]
        chosen = torch.split(self.targets if targets is None else targets, sizes)
        batches = [
            replace(
                batch, targets={self.kind: part}, predict=engine.predict, together=defaultdict(list)
            )
            for batch, part in zip(self.batches, chosen, strict=True)
        ]
        return maps_of(engine, self.methods, batches, seed=self.seed)


def maps_of(
    engine: Engine, methods: Sequence[Bound], batches: Sequence[ImageBatch], *, seed: int
) -> dict[str, Maps | str]:
    """Return each method's finished maps of all images, or why it failed."""
    found: dict[str, list[Explained]] = {method.spec: [] for method in methods}
    sources = [MapSource(method, found[method.spec].append) for method in methods]
    Session(engine, "the diagnosed model", seed=seed).walk(batches, sources)
    return {
        source.method.spec: source.failure
        or concatenate([next(iter(each.maps.values())) for each in found[source.method.spec]])
        for source in sources
    }


def open_subject(
    selection: Selection, model: Bound, methods: Sequence[Bound], images: int
) -> Subject:
    """Load a model of a finished run with the stored maps of some test images.

    Of several folds and seeds the first is taken.

    Raises:
        XaibenchError: the stored model, or all maps, are missing or made from something else.
    """
    refuse_several(selection.dataset, "a diagnosis")
    ledger = Ledger(selection, 0, model, selection.options.seeds[0])
    # Those that ask for masks look at the truth instead of at a network.
    methods = [m for m in methods if not MASK_WORDS & set(m.plugin.signature.words)]
    methods = _without_learners(methods)
    states = [ledger.cell_state(m) for m in methods] if ledger.model_is_trained() else []
    methods = [state.method for state in states if state.has_maps]
    if not methods and any(state.scored for state in states):
        raise XaibenchError(
            f"{selection.layout.out}: the run of {ledger.title} kept no maps (--no-keep-maps), "
            "which are compared here; run it again with --keep-maps and another --out."
        )
    if not methods:
        raise XaibenchError(
            f"{selection.layout.out}: the run of {ledger.title} isn't finished, or was made by "
            "other code or data; repeat the run's command first."
        )
    samples = choose_images(selection.split(0).test, images)
    groups = [sample.group or sample.id for sample in samples]
    kind = class_explained(selection.options.target)
    session = RunSession(ledger)
    batches = list(session.batches(samples, selection.options.target))
    maps = {method.spec: _stored(ledger, method, batches, kind) for method in methods}
    alone = [replace(batch, targets={kind: batch.targets[kind]}) for batch in batches]
    seen = selection.split(0).seen_in(selection.split(0).train)
    return Subject(
        model.spec, session.model, selection.engine, kind, alone, groups, methods, maps,
        session.seed,
        mean_mask=lambda: session.mean_mask if seen else None,
    )  # fmt: skip


def _without_learners(methods: Sequence[Bound]) -> list[Bound]:
    """Return the methods that learn nothing from training images, and name the others."""
    learners = [m.spec for m in methods if TRAINING_WORDS & set(m.plugin.signature.words)]
    if learners:
        why = (
            f"{', '.join(learners)}: not diagnosed, as a method that learns from training images "
            "would have to learn anew for each network that is compared"
        )
        if len(learners) == len(methods):
            raise XaibenchError(f"{why}; name other --methods.")
        _log.warning("%s", why)
    return [method for method in methods if method.spec not in learners]


def _stored(ledger: Ledger, method: Bound, batches: Sequence[ImageBatch], kind: str) -> Maps:
    with MapReader(*map_files(ledger.cell_folder(method))) as reader:
        return concatenate([read_maps(reader, method, batch)[kind] for batch in batches])
