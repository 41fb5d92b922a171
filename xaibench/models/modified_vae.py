"""A variational autoencoder with batch norms and leaky ReLUs."""

from xaibench.core.networks.autoencoding import VariationalAutoencoder, find_classes
from xaibench.core.networks.coders import Decoder, Encoder, check_latent
from xaibench.core.registry import model


@model(paper="kingma2014vae")
def modified_vae(
    class_names: tuple[str, ...],
    image_size: int,
    *,
    latent: int = 32,
    beta: float = 1.0,
    healthy: tuple[str, ...] = (),
) -> VariationalAutoencoder:
    """Build a variational autoencoder with a batch norm and a leaky ReLU in every block.

    Options:
        latent: values in the code of an image.
        beta: weight of the codes' divergence from a standard normal distribution.
        healthy: names of the classes to learn from, joined by ``+``; without any, from all.
    """
    code = check_latent(latent)
    return VariationalAutoencoder(
        Encoder(image_size, 2 * code, modified=True),
        Decoder(image_size, code, modified=True),
        find_classes(healthy, class_names),
        beta=beta,
    )
