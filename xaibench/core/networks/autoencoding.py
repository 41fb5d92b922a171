"""Networks that draw an image again from a short code, plain and variational."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.batch import Batch
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, Outputs, evaluating
from xaibench.core.suggest import did_you_mean

PixelLoss = Literal["cross_entropy", "squared_error"]


class Autoencoder(Model):
    """An encoder ``(B, 3, H, W)`` -> ``(B, Z)``, and a decoder of codes and an image size.

    Attributes:
        healthy: ``(K,)``, the classes that it learns from.
        pixel_loss: what it learns from. Squared errors leave no way back from a black picture,
            where the sigmoid is flat; either is least where the picture is the image.
    """

    classifies = False
    healthy: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        healthy: Tensor,
        pixel_loss: PixelLoss = "cross_entropy",
    ) -> None:
        super().__init__(cam_layer=None)
        self.pixel_loss = pixel_loss
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("healthy", healthy, persistent=False)

    @property
    def abilities(self) -> frozenset[str]:
        """Nothing but its pictures."""
        return frozenset({"reconstruction"})

    def embed(self, images: Tensor) -> Tensor:
        """Return the codes ``(B, Z)``."""
        codes: Tensor = self.encoder(images)
        return codes

    def draw(self, codes: Tensor, images: Tensor) -> Tensor:
        """Return pictures of the images' size, ``(B, 3, H, W)``, as logits of their pixels."""
        pictures: Tensor = self.decoder(codes, (images.shape[2], images.shape[3]))
        return pictures

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        """Return the images as they are drawn from their codes; there are no logits."""
        drawn = self.draw(self.embed(images), images).sigmoid()
        return Outputs(images.new_zeros(len(images), 0), reconstruction=drawn)

    def losses(self, images: Tensor) -> dict[str, Tensor]:
        """Return each image's loss ``(B,)`` and, to look at, its squared error."""
        drawn = self.draw(self.embed(images), images)
        loss = self.pixels(drawn, images)
        return {"loss": loss, "squared_error": squared_error(drawn.detach(), images)}

    def pixels(self, drawn: Tensor, images: Tensor) -> Tensor:
        """Return each image's mean loss of its pixels ``(B,)``; pictures are drawn as logits."""
        return (squared_error if self.pixel_loss == "squared_error" else pixel_entropy)(
            drawn, images
        )

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the sums of the losses of healthy classes' images, over the number of all."""
        chosen = batch.images.new_ones(len(batch.images), dtype=torch.bool)
        if not self.healthy.all():  # else no label is asked for
            chosen = self.healthy[batch.labels]
        if not chosen.any():
            # Nothing to learn, nor for running statistics; but each parameter must take part in
            # every backward pass.
            with evaluating(self):
                return {name: 0 * each.sum() for name, each in self.losses(batch.images).items()}
        weights = chosen.float()
        if batch.class_weights is not None:
            weights = batch.class_weights[batch.labels]
        found = self.losses(batch.images[chosen])
        return {
            name: (weights[chosen] * each).sum() / batch.images_counted
            for name, each in found.items()
        }


class VariationalAutoencoder(Autoencoder):
    """An encoder of means and log-variances ``(B, 2 Z)``; the mean stands for the code."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        healthy: Tensor,
        pixel_loss: PixelLoss = "cross_entropy",
        *,
        beta: float,
    ) -> None:
        if beta < 0:
            raise XaibenchError(f"beta={beta}: the weight of the divergence can't be negative.")
        super().__init__(encoder, decoder, healthy, pixel_loss)
        self.beta = beta

    def embed(self, images: Tensor) -> Tensor:
        """Return the means of the codes ``(B, Z)``."""
        return self._moments(images)[0]

    def losses(self, images: Tensor) -> dict[str, Tensor]:
        """Return -ELBO: the pixels' loss + beta * divergence, a value each.

        The divergence of the codes from a standard normal distribution, in nats, is a part of its
        own. After training nothing is drawn at random: the code is its mean.
        """
        means, log_variances = self._moments(images)
        codes = means
        if self.training:
            codes = means + (0.5 * log_variances).exp() * torch.randn_like(means)
        divergence = 0.5 * (means.square() + log_variances.exp() - 1 - log_variances).sum(dim=1)
        pixels = self.pixels(self.draw(codes, images), images)
        loss = pixels + self.beta * divergence / images[0].numel()
        return {"loss": loss, self.pixel_loss: pixels, "divergence": divergence}

    def _moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        means, log_variances = self.encoder(images).float().chunk(2, dim=1)
        return means, log_variances


def pixel_entropy(logits: Tensor, images: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of pixels in [0, 1], ``(B,)``."""
    each = functional.binary_cross_entropy_with_logits(logits.float(), images, reduction="none")
    return each.mean(dim=(1, 2, 3))


def squared_error(logits: Tensor, images: Tensor) -> Tensor:
    """Return the mean squared error of pixels in [0, 1], ``(B,)``."""
    return (logits.float().sigmoid() - images).square().mean(dim=(1, 2, 3))


def find_classes(names: Sequence[str], class_names: Sequence[str]) -> Tensor:
    """Return ``(K,)``, which classes are named; all of them where none is.

    Raises:
        XaibenchError: there is no class of that name.
    """
    for name in names:
        if name not in class_names:
            raise XaibenchError(
                f"healthy={name}: there is no such class{did_you_mean(name, class_names)}; the "
                f"classes are {', '.join(class_names)}."
            )
    return torch.tensor([not names or name in names for name in class_names])
