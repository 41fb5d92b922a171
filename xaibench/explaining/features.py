"""What the channels of a layer look for: filters, maps, and the patches that excite them most."""

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.explanation import LayerFeatures, Patch
from xaibench.core.model import Model
from xaibench.core.passes.device import place_images
from xaibench.core.passes.layer_names import full_name, named_layer, short_name
from xaibench.core.passes.layers import check_layer
from xaibench.core.passes.spatial import SpatialLayer
from xaibench.core.reading.channels import in_color
from xaibench.explaining.pictures import square_of
from xaibench.explaining.stored_model import StoredModel


class LayerView:
    """One layer of a trained model, and what pictures do to it."""

    def __init__(
        self, stored: StoredModel, layer: str, pictures: Sequence[NDArray[np.uint8]]
    ) -> None:
        """Take a layer.

        Args:
            stored: the model.
            layer: its name; empty takes the first convolution.
            pictures: ``(H, W, C)``; each is seen as a square.

        Raises:
            XaibenchError: there is no such layer, or its output is no map.
        """
        self._model = stored.engine.model
        name = full_name(self._model, layer) if layer else first_convolution(self._model)
        self._layer: SpatialLayer = check_layer(self._model, stored.blank, name)
        self.name = short_name(name)
        self.squares = [square_of(each, stored) for each in pictures]
        self._device = stored.engine.device

    def filters(self) -> NDArray[np.uint8]:
        """Return a first layer's filters ``(D, h, w, 3)``: gray is 0, the largest an end.

        Raises:
            XaibenchError: the layer is no convolution of an image's channels or their luminance.
        """
        part = self._layer.module
        if not _reads_images(part, self._model):
            raise XaibenchError(
                f"layer '{self.name}' has no filters that can be shown as pictures: these are "
                "those of a convolution that reads the image."
            )
        weights = part.weight.detach().cpu()
        weights = weights / weights.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
        shown = ((weights + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
        return in_color(shown.numpy())

    def maps(self, picture: int, most: int) -> NDArray[np.uint8]:
        """Return a picture's first ``most`` maps ``(n, h, w)``, each from its lowest to highest."""
        found = self._activations(picture)[0, :most]
        low, high = found.amin(dim=(1, 2), keepdim=True), found.amax(dim=(1, 2), keepdim=True)
        scaled = (found - low) / (high - low).clamp(min=1e-12)
        shown: NDArray[np.uint8] = (scaled * 255).round().byte().cpu().numpy()
        return shown

    def patches(self, channels: int, best: int) -> list[Patch]:
        """Return the patches of the ``best`` pictures for each of the first channels, in order.

        Of each picture that activation counts which is the channel's highest; its patch is all that
        it depends on, by the gradient.
        """
        peaks = torch.stack(
            [self._activations(n)[0, :channels].amax(dim=(1, 2)) for n in range(len(self.squares))]
        )
        return [
            self._patch(channel, int(picture))
            for channel in range(peaks.shape[1])
            for picture in peaks[:, channel].argsort(descending=True, stable=True)[:best]
        ]

    def _patch(self, channel: int, picture: int) -> Patch:
        image = self._image(picture).requires_grad_()
        with torch.enable_grad():
            peak = self._run(image)[0, channel].amax()
            (gradient,) = torch.autograd.grad(peak, image)
        value = float(peak.detach())
        felt = (gradient[0] != 0).any(dim=0).cpu()
        square = self.squares[picture]
        rows, columns = (torch.nonzero(felt.any(dim=axis))[:, 0] for axis in (1, 0))
        if not len(rows):  # nothing in the picture excites it
            return Patch(channel, picture, value, in_color(square[:1, :1] * 0), (0, 0, 1, 1))
        (top, bottom), (left, right) = ((int(e[0]), int(e[-1]) + 1) for e in (rows, columns))
        pixels = in_color(square[top:bottom, left:right])
        return Patch(channel, picture, value, pixels, (left, top, right, bottom))

    def _activations(self, picture: int) -> Tensor:
        with torch.no_grad():
            return self._run(self._image(picture))

    def _image(self, picture: int) -> Tensor:
        pixels = torch.from_numpy(self.squares[picture].copy()).permute(2, 0, 1)[None]
        return place_images(pixels, self._device)

    def _run(self, image: Tensor) -> Tensor:
        """Return the activations ``(1, D, h, w)``."""
        seen: list[Tensor] = []
        part = named_layer(self._model, self._layer.name)
        handle = part.register_forward_hook(lambda _part, _given, found: seen.append(found.clone()))
        try:
            self._model.outputs(image)
        finally:
            handle.remove()
        return self._layer.layout.activations(seen[-1])


def features_of(
    stored: StoredModel,
    layers: Sequence[str],
    pictures: Sequence[NDArray[np.uint8]],
    channels: int,
    best: int,
) -> list[LayerFeatures]:
    """Return layers' maps of the first picture, and the patches of all that excite them most.

    Args:
        stored: the model.
        layers: their names; without any the CAM layer, or the first where there is none.
        pictures: ``(H, W, 3)`` each.
        channels: how many of each layer.
        best: patches of each channel.

    Raises:
        XaibenchError: there is no such layer, or its output is no map.
    """
    found = []
    for layer in layers or [stored.engine.model.cam_layer or ""]:
        each = LayerView(stored, layer, pictures)
        patches = each.patches(channels, best)
        found.append(LayerFeatures(each.name, each.maps(0, channels), patches))
    return found


def first_convolution(model: Model) -> str:
    """Return the name of the first convolution of an image.

    Raises:
        XaibenchError: there is none.
    """
    for name, part in model.named_modules():
        if _reads_images(part, model):
            return str(name)
    raise XaibenchError("the network has no convolution that reads the image; name a --layer.")


def _reads_images(part: nn.Module, model: Model) -> TypeGuard[nn.Conv2d]:
    """Whether a layer is a convolution of the images' channels, or of their luminance."""
    return isinstance(part, nn.Conv2d) and part.weight.shape[1] in (1, model.image_channels)
