"""A convolutional autoencoder."""

from xaibench.core.networks.autoencoding import Autoencoder, PixelLoss, find_classes
from xaibench.core.networks.coders import Decoder, Encoder, check_latent
from xaibench.core.registry import model


@model(paper="masci2011stacked")
def autoencoder(
    class_names: tuple[str, ...],
    image_size: int,
    *,
    latent: int = 64,
    healthy: tuple[str, ...] = (),
    loss: PixelLoss = "cross_entropy",
) -> Autoencoder:
    """Build an autoencoder of 3x3 convolutions and ReLUs.

    Options:
        latent: values in the code of an image.
        healthy: names of the classes to learn from, joined by ``+``; without any, from all.
        loss: of the pixels.
    """
    code = check_latent(latent)
    return Autoencoder(
        Encoder(image_size, code),
        Decoder(image_size, code),
        find_classes(healthy, class_names),
        loss,
    )
