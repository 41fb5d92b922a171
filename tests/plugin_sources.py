"""How plugins that break a rule are written: the file's head, and a few lines for each."""

from typing import NamedTuple

HEAD = '''"""A trial."""

import math
import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import xaibench

HERE, KEPT = Path(__file__).parent, []


def gray(images):
    return images.mean(dim=1)


def share(maps, masks):
    truth, total = masks > 0, maps.sum(dim=(1, 2))
    found = ((maps * truth).sum(dim=(1, 2)) / total).where(total > 0, 0.0)
    return found.where(truth.flatten(1).any(dim=1), math.nan)


class Net(xaibench.Model):
    def __init__(self, classes, cam_layer="features"):
        super().__init__(cam_layer=cam_layer)
        self.features = nn.Conv2d(3, 8, 4, stride=4)
        self.head = nn.Linear(8, classes)

    def outputs(self, images, *, saliency=False):
        features = self.features(self.normalize(images)).relu()
        return xaibench.Outputs(self.head(features.mean(dim=(2, 3))))

    def new_parameters(self):
        return [*self.head.parameters()]


def named(count=8):
    return [xaibench.Sample(f"s{i}", Path(f"s{i}"), i % 2) for i in range(count)]


def noise(sample):
    pixels = np.random.default_rng(int(sample.id[1:])).integers(0, 256, (9, 12, 3), np.uint8)
    return xaibench.Picture(pixels, None)


'''


class Case(NamedTuple):
    """A plugin that breaks one rule: what is found, and what is said about it."""

    kind: str
    rule: str
    says: str
    source: str
    status: str = "fails"


class Source(str):
    """A trait's value as it is written."""

    __slots__ = ()

    def __repr__(self):
        return str(self)


def method(rule, says, body, words="images", status="fails", **traits):
    return Case("method", rule, says, _declare("method", words, body, traits), status)


def fit(rule, says, body, words="training_images"):
    lines = "\n    ".join(body.strip().split("\n"))
    method = _declare("method", "images, fitted", "return gray(images)", {"fit": Source("learn")})
    return Case("method", rule, says, f"def learn({words}):\n    {lines}\n\n\n{method}")


def metric(rule, says, body, words="maps, masks", **traits):
    source = _declare("metric", words, body, {"higher_is_better": True} | traits)
    return Case("metric", rule, says, source)


def _declare(kind, words, body, traits):
    listed = ", ".join(f"{key}={value!r}" for key, value in traits.items())
    lines = "\n    ".join(body.strip().split("\n"))
    return f"@xaibench.{kind}({listed})\ndef trial({words}):\n    {lines}\n"


def model(rule, says, members="", build="return Mine(classes)", status="fails"):
    lines = "\n    ".join(members.strip().split("\n"))
    return Case("model", rule, says, (
        f"class Mine(Net):\n    extra = 0\n    {lines}\n\n\n@xaibench.model()\n"
        f'def trial(classes: int, weights: str):\n    """Build."""\n    {build}\n'
    ), status)  # fmt: skip


def analysis(rule, says, body, words="embeddings, seed", **traits):
    source = _declare("analysis", words, body, {"quantities": {"spread": "A spread."}} | traits)
    return Case("analysis", rule, says, source)


def dataset(rule, says, *, samples="named()", classes="('a', 'b')", read="noise", traits=""):
    return Case("dataset", rule, says, (
        f'@xaibench.dataset({traits})\ndef trial():\n    """List."""\n'
        f"    return xaibench.Dataset({classes}, tuple({samples}), {read})\n"
    ))  # fmt: skip
