"""Every method and metric on the pretend GPU: what the CPU gives, in exact float32."""

from itertools import islice

import pytest
import torch

import xaibench
from xaibench.api import _MODEL_WORDS
from xaibench.checks.method_trial import Scene
from xaibench.checks.networks import make_network
from xaibench.checks.run import trials_of
from xaibench.core.metric_words import RUN_WORDS
from xaibench.core.registry import bind, plugins

FAMILIES = sorted({plugin.traits.family for plugin in plugins("method").values()})
# Their own code would take a minute here.
LONG = frozenset({"xrai", "kernel_shap", "extremal_perturbation"})


@pytest.fixture
def _rounding():
    """Products of float32 are rounded wherever nobody says otherwise."""
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.mark.slow
@pytest.mark.usefixtures("_rounding")
@pytest.mark.parametrize("family", FAMILIES)
def test_methods_give_there_what_they_give_on_the_cpu(machine, family):
    wrong = {}
    for name, plugin in plugins("method").items():
        if plugin.traits.family != family or name in LONG:
            continue
        (trial,) = islice(trials_of(bind("method", name)), 1)
        machine.forget()
        try:
            there = trial.ask(Scene.ordinary(), device="cuda").cpu()
        except Exception as error:
            wrong[name] = f"{type(error).__name__}: {error}"
            continue
        scale = trial.maps.abs().max().clamp(min=1e-6)
        apart = float((there - trial.maps).abs().max() / scale)
        if apart > 1e-3:
            wrong[name] = f"{apart:.2g} apart"
        if machine.rounded:
            wrong[name] = f"rounds {', '.join(machine.rounded)}"
    assert not wrong


def given(device):
    numbers = torch.Generator().manual_seed(0)
    maps, images = (
        torch.rand(3, 24, 32, generator=numbers),
        torch.rand(3, 3, 24, 32, generator=numbers),
    )
    masks = torch.zeros(3, 24, 32, dtype=torch.int8)
    masks[:, 4:15, 6:20] = 1
    masks[1, 8:12, 8:30] = 2
    return maps.to(device), masks.to(device), images.to(device)


def scores(metric, device, masks_on):
    maps, _, images = given(device)
    network = make_network("conv").to(device)
    asks = set(plugins("metric")[metric].signature.words) & _MODEL_WORDS
    beside = {"model": network, "images": images, "targets": 1} if asks else {}
    return xaibench.score(maps, given(masks_on)[1], metric, **beside)["value"].to_numpy()


SCORED = [n for n, p in plugins("metric").items() if not RUN_WORDS & set(p.signature.words)]


@pytest.mark.slow
@pytest.mark.usefixtures("_rounding")
@pytest.mark.parametrize("part", range(4))
def test_metrics_give_there_what_they_give_on_the_cpu(machine, part):
    wrong = {}
    for metric in SCORED[part::4]:
        here = torch.tensor(scores(metric, "cpu", "cpu"))
        machine.forget()
        for masks_on in ("cuda", "cpu"):
            try:
                there = torch.tensor(scores(metric, "cuda", masks_on))
            except Exception as error:
                wrong[metric, masks_on] = f"{type(error).__name__}: {error}"
                continue
            if not torch.allclose(there, here, rtol=1e-3, atol=1e-4, equal_nan=True):
                wrong[metric, masks_on] = f"{there.tolist()} for {here.tolist()}"
        if machine.rounded:
            wrong[metric] = f"rounds {', '.join(machine.rounded)}"
    assert not wrong
