"""A variational autoencoder whose encoder is deeper and has leaky ReLUs."""

from xaibench.core.networks.autoencoding import PixelLoss, VariationalAutoencoder, find_classes
from xaibench.core.networks.coders import Decoder, Encoder, check_latent, leaky_block, normed_block
from xaibench.core.registry import model


@model(paper="kingma2014vae")
def modified_vae(
    class_names: tuple[str, ...],
    image_size: int,
    *,
    latent: int = 32,
    beta: float = 1.0,
    healthy: tuple[str, ...] = (),
    loss: PixelLoss = "cross_entropy",
) -> VariationalAutoencoder:
    """Build a variational autoencoder with two leaky convolutions a block in its encoder.

    Options:
        latent: values in the code of an image.
        beta: weight of the codes' divergence from a standard normal distribution.
        healthy: names of the classes to learn from, joined by ``+``; without any, from all.
        loss: of the pixels.
    """
    code = check_latent(latent)
    return VariationalAutoencoder(
        Encoder(image_size, 2 * code, leaky_block),
        Decoder(image_size, code, normed_block),
        find_classes(healthy, class_names),
        loss,
        beta=beta,
    )
