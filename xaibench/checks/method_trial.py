"""One method on one network: what the rules for methods look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from xaibench.checks.networks import CLASSES, SIZE, make_network
from xaibench.checks.rule import Broken
from xaibench.checks.state import Given, differences, isolated, state_of
from xaibench.core.maps import finish
from xaibench.core.model import evaluating
from xaibench.core.passes.device import set_up
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.float32 import exact_float32
from xaibench.core.passes.question import Known
from xaibench.core.plugin import Bound, Plugin
from xaibench.explaining.batch import ImageBatch
from xaibench.explaining.fit import FitWords, learn
from xaibench.explaining.questions import question_for, record, words_of
from xaibench.explaining.training_set import MaskRows, Rows, TrainingSet

COUNT = 3
_KIND = "label"
# Rounding of sums in another order, as a share of the largest value.
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Observation:
    """What a method returned, and what it left changed, by name."""

    raw: Any
    given: Given
    model: dict[str, list[str]]
    surroundings: list[str]


@dataclass(frozen=True)
class Learned:
    """What a fit returned, and what it left changed, by name."""

    tensors: Mapping[str, Tensor]
    model: Mapping[str, list[str]]
    surroundings: list[str]


@dataclass(frozen=True)
class Scene:
    """What a method is asked about."""

    images: Tensor
    masks: Tensor
    rows: Sequence[int] = range(COUNT)
    seed: int = 0

    @classmethod
    def ordinary(cls) -> "Scene":
        """Noise with a bright region, another one in each image; no two sides are alike."""
        masks = torch.zeros(COUNT, *SIZE, dtype=torch.int8)
        for row, mask in enumerate(masks):
            mask[4 + row : 12 + 2 * row, 20:50] = 1
            mask[12 : 20 + row, 20:26] = 1
        noise = torch.rand(COUNT, 3, *SIZE, generator=torch.Generator().manual_seed(1))
        return cls(0.5 * noise + 0.4 * masks[:, None], masks)


class MethodTrial:
    """One method on one network."""

    def __init__(self, method: Bound, network: str) -> None:
        self.method, self.network = method, network

    @property
    def label(self) -> str:
        """What it is tried on."""
        return f"the {self.network} network"

    @property
    def plugin(self) -> Plugin:
        """The method's."""
        return self.method.plugin

    @property
    def words(self) -> tuple[str, ...]:
        """What the method asks for."""
        return self.plugin.signature.words

    @cached_property
    def learned(self) -> Learned:
        """What its fit has learned of the trial's network."""
        return self.fit(noise=1)

    def fit(self, *, noise: int) -> Learned:
        """Let it learn as a run would, from a few images, half of whose masks may be seen."""
        model = set_up(make_network(self.network), torch.device("cpu"))
        with evaluating(model), isolated(noise) as surroundings:
            before = state_of(model)
            found = learn(self.method, FitWords(Engine(model), few_images(), CLASSES, seed=0))
            changed = differences(before, state_of(model))
        return Learned(found, changed, surroundings)

    @cached_property
    def first(self) -> Observation:
        """Its answer about ordinary images."""
        return self.observe(Scene.ordinary(), noise=1)

    @cached_property
    def lent(self) -> Observation:
        """Its answer about a network of which some is in training mode, and some isn't frozen."""
        return self.observe(Scene.ordinary(), noise=1, lent=True)

    def changed(self, *aspects: str) -> list[str]:
        """Return the names of what it left changed in a run's network, or in a user's."""
        found = [
            name
            for aspect in aspects
            for seen in (self.first, self.lent)
            for name in seen.model[aspect]
        ]
        return list(dict.fromkeys(found))

    @property
    def maps(self) -> Tensor:
        """Raw maps of the ordinary images, float32."""
        return as_maps(self.first.raw, COUNT)

    def finish(self) -> Tensor:
        """Return the maps of the ordinary images as they would be scored."""
        traits = self.plugin.traits
        return finish(self.maps, SIZE, sign=traits.sign, rescale=traits.rescale)[0]

    def ask(self, scene: Scene, *, noise: int = 1, device: str = "cpu") -> Tensor:
        """Return raw maps of other images, or of the same ones in another way."""
        return as_maps(self.observe(scene, noise=noise, device=device).raw, len(scene.rows))

    def known(self, masks: Tensor, device: str) -> Known:
        """Return what a run knows beside the images."""
        found = self.learned.tensors if self.plugin.fit else {}
        placed = {name: each.to(device) for name, each in found.items()}
        return Known(masks.float().mean(dim=0), few_images(device), placed)

    @exact_float32()
    def observe(
        self, scene: Scene, *, noise: int, device: str = "cpu", lent: bool = False
    ) -> Observation:
        """Ask the method as a run would, and look at all that it must leave alone.

        Args:
            scene: the images, and which of them.
            noise: seed of the global random states, on which nothing may depend.
            device: where.
            lent: the network isn't a run's but a user's, as `xaibench.explain` takes it.
        """
        rows = list(scene.rows)
        model = make_network(self.network).to(device)
        if not lent:
            model = set_up(model, torch.device(device))
        engine = Engine(model)
        masks = scene.masks.to(device)
        batch = ImageBatch(
            ids=[str(row) for row in rows],
            images=scene.images.to(device)[rows],
            masks=masks[rows],
            annotated=[True] * len(rows),
            targets={_KIND: (torch.arange(len(masks), device=device) % CLASSES)[rows]},
            predict=engine.predict,
        )
        known = self.known(masks, device)
        with evaluating(model), isolated(noise) as surroundings:
            tape = record(engine, words_of([self.method]), batch.images)
            question = question_for(self.method, tape, batch, _KIND, scene.seed, known)
            given = Given(question)
            before = state_of(model)
            try:
                raw = self.method(given)
            except Exception as error:
                error.add_note(given.shapes())
                raise
            changed = differences(before, state_of(model))
        return Observation(raw, given, changed, surroundings)


def few_images(device: str = "cpu") -> TrainingSet:
    """Return six training images; the masks of every other one may be seen."""
    scene = Scene.ordinary()
    images = torch.cat([scene.images, scene.images.flip(3)]).to(device)
    masks = torch.cat([scene.masks, scene.masks.flip(2)]).to(device)
    seen = torch.arange(len(masks)) % 2 == 0
    masks = masks * seen.to(masks)[:, None, None]
    labels = torch.arange(len(images), device=device) % CLASSES
    return TrainingSet(
        Rows(len(images), images.__getitem__), labels, MaskRows(seen, masks.__getitem__)
    )


def as_maps(raw: Any, count: int) -> Tensor:
    """Return raw maps as a run takes them.

    Raises:
        Broken: they aren't ``(count, h, w)``.
    """
    images = "1 image" if count == 1 else f"{count} images"
    if not isinstance(raw, Tensor):
        raise Broken(
            f"for {images} it returned a {type(raw).__name__}; return a tensor ({count}, h, w)."
        )
    if raw.ndim != 3 or len(raw) != count or not raw.numel():  # noqa: PLR2004
        raise Broken(
            f"for {images} it returned {tuple(raw.shape)}; return ({count}, h, w), one map for "
            "each image: add up or average what is too many, and mind squeeze() where B is 1."
        )
    return raw.detach().float()


def alike(ours: Tensor, theirs: Tensor) -> bool:
    """Whether maps are equal but for rounding."""
    if ours.shape != theirs.shape:
        return False
    scale = theirs.nan_to_num(0, 0, 0).abs().max().item()
    return torch.allclose(ours, theirs, rtol=0, atol=_TOLERANCE * scale, equal_nan=True)
