"""Networks, images and comparisons that the tests of methods share, all in float64.

In float32 two ways to compute one map differ by what the machine's kernels make of it.
"""

import torch
import torchvision
from torch import nn
from torch.nn import functional

from xaibench.core.maps import finish
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.question import Question
from xaibench.core.passes.tape import Tape
from xaibench.core.registry import bind
from xaibench.explaining.inputs import wrap

CLASSES, SIZE, SEEDS = 4, (64, 96), [5, 6, 7]


def pictures(count, seed):
    """Images with light and dark regions."""
    grid = torch.rand(count, 3, 5, 7, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(grid.double(), SIZE, mode="bicubic").clamp(0.1, 0.9)


IMAGES, TARGETS = pictures(3, seed=1), torch.tensor([2, 0, 3])


class Small(nn.Module):
    """DenseNet's ending: the ReLU overwrites the output of ``features``.

    Behind ``relu`` there are pooling and one layer; behind ``features`` a ReLU, too.
    """

    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=4, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 12, 3, stride=2, padding=1),
            nn.BatchNorm2d(12),
        )
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(12, num_classes)

    def forward(self, images):
        return self.classifier(self.relu(self.features(images)).mean(dim=(2, 3)))


def build(kind, *, inplace=True, classes=CLASSES):
    """Make ``small`` or one of torchvision's; libraries want ReLUs that aren't in place."""
    torch.manual_seed(0)
    make = Small if kind == "small" else getattr(torchvision.models, kind)
    return calibrated(make(num_classes=classes), inplace)


def calibrated(network, inplace=True):
    """Fill the running statistics, without which random networks are nearly constant."""
    for part in network.double().modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
            nn.init.normal_(part.bias, std=0.3)
        elif isinstance(part, nn.Linear):
            part.reset_parameters()  # MobileNet's are so small that its logits hardly vary
        elif isinstance(part, nn.ReLU):
            part.inplace = inplace
    with torch.no_grad():
        for step in range(2):
            network.train()(pictures(8, seed=10 + step))
    return network.eval()


def question(network, layer=None, words=(), images=IMAGES):
    engine = Engine(wrap(network, images, layer).eval(), fold=False, full_blocks=False)
    rows = torch.arange(len(images))
    return Question(Tape(engine, images, {"logits", *words}), rows, TARGETS[rows], SEEDS)


def raw_maps(network, spec, layer=None, images=IMAGES):
    method = bind("method", spec)
    return method(question(network, layer, method.plugin.signature.words, images)).detach()


def stretched(maps):
    return finish(torch.as_tensor(maps), SIZE)[0]


def close(ours, theirs, atol=1e-5):
    """Compare maps, each in units of its largest value."""
    size = theirs.abs().amax(dim=(1, 2), keepdim=True)
    assert (size > 0).sum() >= 2  # what speaks against a class leaves an empty map
    size = torch.where(size > 0, size, 1)
    torch.testing.assert_close(ours / size, theirs / size, rtol=0, atol=atol, check_dtype=False)
