"""A fully connected autoencoder that learns to take noise away."""

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.autoencoding import Autoencoder, find_classes
from xaibench.core.networks.coders import check_latent
from xaibench.core.registry import model

_WIDE, _NARROW = 512, 128


class DenoisingAutoencoder(Autoencoder):
    """In training it sees noisy images, and is to draw them without the noise."""

    def __init__(self, image_size: int, latent: int, healthy: Tensor, *, noise: float) -> None:
        values = 3 * image_size**2
        down, up = (values, _WIDE, _NARROW, latent), (latent, _NARROW, _WIDE, values)
        super().__init__(_Connected(*down), _Connected(*up), healthy)
        self.noise = noise

    def embed(self, images: Tensor) -> Tensor:
        """Return the codes ``(B, Z)``; in training, those of noisy images."""
        if self.training:
            # Grey, as most pictures are; not cut to [0, 1], which would brighten black pixels on
            # average, so that clean images were none that it knows.
            images = images + self.noise * torch.randn_like(images[:, :1])
        codes: Tensor = self.encoder(images.flatten(1))
        return codes

    def draw(self, codes: Tensor, images: Tensor) -> Tensor:
        """Return pictures ``(B, 3, H, W)`` as logits of their pixels."""
        pictures: Tensor = self.decoder(codes)
        return pictures.view(images.shape)


class _Connected(nn.Sequential):
    """Fully connected layers with ReLUs between them."""

    def __init__(self, first: int, second: int, third: int, last: int) -> None:
        super().__init__(
            nn.Linear(first, second),
            nn.ReLU(inplace=True),
            nn.Linear(second, third),
            nn.ReLU(inplace=True),
            nn.Linear(third, last),
        )


@model(paper="vincent2008denoising")
def denoising_autoencoder(
    class_names: tuple[str, ...],
    image_size: int,
    *,
    latent: int = 32,
    noise: float = 0.3,
    healthy: tuple[str, ...] = (),
) -> DenoisingAutoencoder:
    """Build a fully connected autoencoder, for square images of the run's ``--image-size`` alone.

    Options:
        latent: values in the code of an image.
        noise: standard deviation of the noise that training adds to pixels in [0, 1].
        healthy: names of the classes to learn from, joined by ``+``; without any, from all.
    """
    if noise < 0:
        raise XaibenchError(f"noise={noise}: a standard deviation can't be negative.")
    return DenoisingAutoencoder(
        image_size, check_latent(latent), find_classes(healthy, class_names), noise=noise
    )
