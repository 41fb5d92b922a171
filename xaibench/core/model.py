"""What every trained network can be asked for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.contract import LAYER_WORDS
from xaibench.core.errors import XaibenchError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Outputs(NamedTuple):
    """What one forward pass gives: logits ``(B, K)`` and, if asked for, saliency ``(B, h, w)``."""

    logits: Tensor
    saliency: Tensor | None = None


@dataclass
class Batch:
    """Training data: images ``(B, C, H, W)`` in [0, 1], labels ``(B,)``, masks ``(B, H, W)`` int8.

    ``masked`` ``(B,)`` tells which masks may be seen. ``images_counted`` and ``masks_counted`` are
    the sums' denominators: the numbers of this batch, or, where a batch is shared out among
    processes, the whole batch's numbers divided by the number of processes, so that averaged
    gradients equal those of the whole.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor
    masked: Tensor
    images_counted: float
    masks_counted: float


class Model(nn.Module):
    """A network that classifies, and may be able to do more.

    Images go in as pixels in [0, 1]; normalisation happens inside, so that covering an image
    happens in pixel space. Subclasses implement `outputs`.

    Attributes:
        cam_layer: name of the submodule whose output CAM methods read; None where there is none.
        trained: a model that comes trained is used as it is.
        pretrained: all but the `new_parameters` were learned before; these then learn faster.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        cam_layer: str | None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        trained: bool = False,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        self.cam_layer = cam_layer
        self.trained = trained
        self.pretrained = pretrained
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    @property
    def abilities(self) -> frozenset[str]:
        """The words of the vocabulary that only some models serve, and this one does.

        Whether there are `class_weights` behind the CAM layer only a trial can tell
        (`core.head.find_head`).
        """
        return frozenset() if self.cam_layer is None else LAYER_WORDS

    def normalise(self, images: Tensor) -> Tensor:
        """Return ``(images - mean) / std``."""
        return (images - self.mean) / self.std

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the network once; ``saliency`` asks for the model's own map, too."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(B, K)``."""
        return self.outputs(images).logits

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that no pretrained weights reach: they may learn faster."""
        return []

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the training loss under "loss", and its parts by name."""
        logits = self.forward(batch.images)
        return {"loss": cross_entropy(logits, batch)}


class Classifier(Model):
    """Any network from normalised images to logits."""

    def __init__(self, network: nn.Module, *, cam_layer: str | None, **options: Any) -> None:
        super().__init__(cam_layer=cam_layer and f"network.{cam_layer}", **options)
        self.network = network

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:
        """Run the network; it has no saliency of its own."""
        if saliency:
            raise XaibenchError("this model has no saliency map of its own.")
        return Outputs(logits_of(self.network(self.normalise(images))))

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the last layer's parameters, which were made for this dataset's classes."""
        layers = [m for m in self.network.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
        return list(layers[-1].parameters()) if layers else []


def cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Return the mean cross-entropy over the counted images."""
    return functional.cross_entropy(logits, batch.labels, reduction="sum") / batch.images_counted


def logits_of(result: Any) -> Tensor:
    """Find the logits in what a network returns: a tensor, ``.logits``, or the first of a tuple.

    Raises:
        XaibenchError: there is no ``(B, K)`` tensor.
    """
    found = getattr(result, "logits", result)
    if isinstance(found, (tuple, list)) and found:
        found = found[0]
    if not isinstance(found, Tensor) or found.ndim != 2:  # noqa: PLR2004 (B, K)
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise XaibenchError(f"the network must return logits (B, K), but it returned {shape}.")
    return found


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode, and leave every submodule in the mode it was in."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
