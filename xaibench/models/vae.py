"""A convolutional variational autoencoder."""

from xaibench.core.networks.autoencoding import VariationalAutoencoder, find_classes
from xaibench.core.networks.coders import Decoder, Encoder, check_latent
from xaibench.core.registry import model


@model(paper="kingma2014vae")
def vae(
    class_names: tuple[str, ...],
    image_size: int,
    *,
    latent: int = 32,
    beta: float = 1.0,
    healthy: tuple[str, ...] = (),
) -> VariationalAutoencoder:
    """Build a variational autoencoder of convolutions and ReLUs, trained on the ELBO.

    Options:
        latent: values in the code of an image.
        beta: weight of the codes' divergence from a standard normal distribution.
        healthy: names of the classes to learn from, joined by ``+``; without any, from all.
    """
    code = check_latent(latent)
    return VariationalAutoencoder(
        Encoder(image_size, 2 * code),
        Decoder(image_size, code),
        find_classes(healthy, class_names),
        beta=beta,
    )
