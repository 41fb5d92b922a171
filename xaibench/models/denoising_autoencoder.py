"""A fully connected autoencoder that learns to take noise away."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.autoencoding import Autoencoder, PixelLoss, find_classes
from xaibench.core.networks.coders import check_latent
from xaibench.core.registry import model


class DenoisingAutoencoder(Autoencoder):
    """In training it sees noisy images, and is to draw them without the noise."""

    def __init__(
        self, widths: tuple[int, ...], healthy: Tensor, loss: PixelLoss, *, noise: float
    ) -> None:
        down, up = _connected(*widths), _connected(*reversed(widths))
        super().__init__(down, nn.Sequential(nn.ReLU(), *up), healthy, loss)
        self.noise = noise

    def embed(self, images: Tensor) -> Tensor:
        """Return the codes ``(B, Z)``; in training, those of noisy images."""
        if self.training:
            # Gray, as most pictures are; not cut to [0, 1], which would brighten black pixels on
            # average, so that clean images were none that it knows.
            images = images + self.noise * torch.randn_like(images[:, :1])
        codes: Tensor = self.encoder(images.flatten(1))
        return codes

    def draw(self, codes: Tensor, images: Tensor) -> Tensor:
        """Return pictures ``(B, 3, H, W)`` as logits of their pixels."""
        pictures: Tensor = self.decoder(codes)
        return pictures.view(images.shape)


def _connected(*widths: int) -> nn.Sequential:
    """Return fully connected layers with ReLUs between them."""
    layers = [layer for pair in pairwise(widths) for layer in (nn.ReLU(), nn.Linear(*pair))]
    return nn.Sequential(*layers[1:])


@model(paper="vincent2008denoising")
def denoising_autoencoder(
    class_names: tuple[str, ...],
    image_size: int,
    *,
    latent: int = 32,
    noise: float = 0.3,
    healthy: tuple[str, ...] = (),
    hidden: tuple[int, ...] = (),
    loss: PixelLoss = "cross_entropy",
) -> DenoisingAutoencoder:
    """Build a fully connected autoencoder, for square images of the run's ``--image-size`` alone.

    One layer leads to the code and one back, with a ReLU between them.

    Options:
        latent: values in the code of an image.
        noise: standard deviation of the noise that training adds to pixels in [0, 1].
        healthy: names of the classes to learn from, joined by ``+``; without any, from all.
        hidden: widths of further layers on either side, such as ``512-128``.
        loss: of the pixels.
    """
    if hidden and min(hidden) < 1:
        raise XaibenchError(
            f"denoising_autoencoder[hidden={'-'.join(map(str, hidden))}]: widths are at least 1."
        )
    if noise < 0:
        raise XaibenchError(f"noise={noise}: a standard deviation can't be negative.")
    widths = (3 * image_size**2, *hidden, check_latent(latent))
    return DenoisingAutoencoder(widths, find_classes(healthy, class_names), loss, noise=noise)
