"""Whatever form a layer's output has, as activations ``(B, D, h, w)``, and back."""

import math

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError

_IMAGE_LIKE, _TOKENS = 4, 3


def as_activations(output: Tensor, images: Tensor, module: nn.Module | None = None) -> Tensor:
    """Bring a layer's output to ``(B, D, h, w)``.

    Image-like outputs pass unchanged, channels-last ones (of a plain LayerNorm or a Swin block)
    are permuted. Tokens ``(B, N, D)`` lose their class tokens, which stand first, and are laid out
    on the grid whose aspect ratio is the image's.

    Raises:
        XaibenchError: the output has another form.
    """
    if output.ndim == _IMAGE_LIKE:
        last = _channels_last(output, images, module)
        return output.permute(0, 3, 1, 2) if last else output
    if output.ndim == _TOKENS and (grid := token_grid(output.shape[1], images)):
        height, width = grid
        tokens = output[:, output.shape[1] - height * width :].transpose(1, 2)
        return tokens.reshape(len(output), -1, height, width)
    raise XaibenchError(
        f"the CAM layer's output has shape {tuple(output.shape)}, which is neither (B, D, h, w) "
        "nor tokens (B, N, D) on the image's grid; choose another layer with layer=."
    )


def as_output(
    activations: Tensor, output: Tensor, images: Tensor, module: nn.Module | None = None
) -> Tensor:
    """Bring activations ``(N, D, h, w)`` to the form of a layer's ``output``.

    The inverse of `as_activations`; class tokens are the output's own, which may be of as many
    images or of a single one.
    """
    if output.ndim == _IMAGE_LIKE:
        last = _channels_last(output, images, module)
        return activations.permute(0, 2, 3, 1) if last else activations
    tokens = activations.flatten(2).transpose(1, 2)
    extra = output[:, : output.shape[1] - tokens.shape[1]]
    if len(extra) != len(tokens):
        extra = extra[:1].expand(len(tokens), -1, -1)
    return torch.cat([extra, tokens], dim=1)


def fits_image(grid: torch.Size, images: Tensor) -> bool:
    """Whether every cell of the grid covers a square of the image, within one cell's rounding."""
    steps = [size / cells for size, cells in zip(images.shape[2:], grid, strict=True)]
    return max(steps) / min(steps) < 1 + 1 / min(grid)


def token_grid(tokens: int, images: Tensor) -> tuple[int, int] | None:
    """Return the grid (h, w) of the image's proportions that so many tokens fill, or None.

    Up to five tokens more, of the class or of registers, are allowed for.
    """
    height, width = images.shape[2:]
    for extra in range(6):
        patches = tokens - extra
        rows = round(math.sqrt(patches * height / width)) if patches > 1 else 0
        if rows > 1 and patches % rows == 0:
            columns = patches // rows
            if columns > 1 and math.isclose(rows / columns, height / width, rel_tol=0.02):
                return rows, columns
    return None


def _channels_last(output: Tensor, images: Tensor, module: nn.Module | None) -> bool:
    # torchvision's LayerNorm2d derives from LayerNorm but keeps channels first.
    if module is not None and type(module) is nn.LayerNorm:
        return True
    first, last = output.shape[1:3], output.shape[2:4]
    return not fits_image(last, images) and fits_image(first, images)
