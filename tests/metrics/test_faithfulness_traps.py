"""What every faithfulness metric must bear: constant, sparse, lying and missing maps; Fake-CAM."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from xaibench.core.covering import CoveredConfidence
from xaibench.core.model import Classifier
from xaibench.core.passes.engine import Engine
from xaibench.core.registry import bind, plugins
from xaibench.core.seeds import BatchGenerator
from xaibench.core.spec import parse_spec
from xaibench.metrics.drop_in_confidence import drop_in_confidence
from xaibench.metrics.increase_in_confidence import increase_in_confidence


def bracket(spec):
    return parse_spec(spec)[1]


COUNT, SIDE, CLASSES = 12, 24, 3
BESIDE = {"training_images", "explain_randomized"}
SPECS = [
    spec
    for name, plugin in plugins("metric").items()
    if plugin.traits.family == "faithfulness"
    and not BESIDE & set(plugin.signature.words)  # of other images or another network
    for spec in (name, f"{name}[by=zero]", f"{name}[covered=important]")
    if set(bracket(spec)) <= set(plugin.signature.options)
]
every_metric = pytest.mark.parametrize("spec", SPECS)


@pytest.fixture(scope="module")
def engine():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 7 * 7, CLASSES)
    )
    nn.init.normal_(network[-1].weight, std=0.5)
    return Engine(Classifier(network, cam_layer=None).eval())


@dataclass
class Words:
    """The metrics' words for some maps."""

    engine: Engine
    maps: torch.Tensor
    rows: list[int]

    def __post_init__(self):
        drawn = torch.rand(COUNT, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
        self.images = drawn[self.rows]
        self.predict = self.engine.predict
        self.confidence, self.targets = self.predict(self.images).max(dim=1)
        self.covered_confidence = CoveredConfidence(
            self.images, self.maps, self.targets, self.predict
        )

    @property
    def generator(self):
        return BatchGenerator(self.rows)

    def respond(self, images):
        return self.engine.model(images).detach()

    def explain(self, images, targets=None):
        """Return the map, moved by as much as the image; of another class a map of its own."""
        if targets is not None:
            other = torch.Generator().manual_seed(3)
            return torch.rand(COUNT, SIDE, SIDE, generator=other)[self.rows]
        return self.maps + (images - self.images).mean(dim=1)


def score(engine, spec, maps, rows=None):
    rows = list(range(COUNT)) if rows is None else rows
    return bind("metric", spec)(Words(engine, maps, rows))


def random_maps():
    return torch.rand(COUNT, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


@every_metric
def test_a_map_that_failed_shifts_no_others(engine, spec):
    maps, failed = random_maps(), random_maps()
    failed[2] = 0.0
    others = [row for row in range(COUNT) if row != 2]
    whole = score(engine, spec, maps)
    assert torch.equal(score(engine, spec, failed)[others], whole[others])
    torch.testing.assert_close(score(engine, spec, maps[others], others), whole[others])


@every_metric
def test_a_map_on_its_side_scores_otherwise(engine, spec):
    maps = 0.5 + random_maps() / 2
    maps[:, : SIDE // 2] *= 0.7
    upright, lying = score(engine, spec, maps), score(engine, spec, maps.mT)
    # Sensitivity compares maps with maps: lying as they are, they change as much.
    assert torch.allclose(upright, lying, atol=1e-5) == (spec == "sensitivity_max")


@every_metric
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_constant_and_sparse_maps_stay_within_bounds(engine, spec, level):
    sparse = random_maps()
    sparse[sparse < 0.94] = 0.0
    lowest, highest = bind("metric", spec).plugin.traits.bounds
    for maps in (torch.full_like(sparse, level), sparse):
        values = score(engine, spec, maps)
        if spec == "sensitivity_max" and not maps.any():
            assert values.isnan().all()
        else:
            assert ((values >= lowest) & (values <= highest)).all()


def test_fake_cam_loses_nothing_and_all_ones_exactly_nothing(engine):
    fake = torch.full((COUNT, SIDE, SIDE), 0.999)
    assert 0 < score(engine, "drop_in_confidence", fake).mean() < 1e-3
    ones = torch.ones_like(fake)
    for name in ("drop_in_confidence", "increase_in_confidence"):
        assert not score(engine, name, ones).any()
        assert not score(engine, f"{name}[by=zero]", ones).any()


class Jitter:
    """A model whose answers depend on what it has seen before: other batches, other last bits."""

    def __init__(self):
        self.calls = 0

    def __call__(self, images):
        self.calls += 1
        mean = images.mean(dim=(1, 2, 3)) * (1 + 1e-6 * self.calls)
        return torch.stack([mean, 1 - mean], dim=1)


def test_what_is_covered_nowhere_keeps_its_confidence_to_the_last_bit():
    images = torch.rand(3, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    maps = torch.ones(3, 5, 7)
    maps[1, 2, 3] = 0.5
    model = Jitter()
    before = model(images)
    covered = CoveredConfidence(
        images, maps, torch.zeros(3, dtype=torch.long), model, untouched=lambda: before
    )
    assert increase_in_confidence(before[:, 0], covered).tolist() == [0, 0, 0]
    drops = drop_in_confidence(before[:, 0], covered)
    assert (drops > 0).tolist() == [False, True, False]
    # The same bits elsewhere: where another pass answered, it would have risen.
    assert model(images)[0, 0] > before[0, 0]


def test_a_drop_is_a_share_of_what_there_was():
    drops = drop_in_confidence(torch.tensor([0.1, 0.8]), lambda *_: torch.tensor([0.05, 0.75]))
    torch.testing.assert_close(drops, torch.tensor([0.5, 0.0625]))
