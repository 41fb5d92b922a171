"""Finer-CAM: Grad-CAM of what tells the target from the classes most like it."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, einsum
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method


@method(paper="zhang2025finercam", family="cam")
def finercam(
    activations: Tensor,
    logits: Tensor,
    targets: Tensor,
    derive: Callable[[Tensor], Tensor],
    *,
    alpha: float = 1.0,
    classes: int = 3,
    shares: Literal["fixed", "differentiated"] = "fixed",
) -> Tensor:
    """Return Grad-CAM of y_target - alpha * sum_c p_c y_c / sum_c p_c, shape (B, h, w).

    Options:
        alpha: how much of the similar classes' logits is subtracted.
        classes: how many similar classes c, those with the logits nearest to the target's.
        shares: ``fixed`` holds p_c / sum_c p_c, as in a weighed mean of the differences' maps;
            ``differentiated`` takes their derivatives, too, as the code of the paper's authors does
            (Imageomics/Finer-CAM), and pytorch-grad-cam.
    """
    if classes < 1:
        raise XaibenchError(f"finercam[classes={classes}]: at least 1.")
    own = logits.gather(1, targets[:, None])
    distance = (logits - own).abs().scatter(1, targets[:, None], torch.inf)
    similar = distance.argsort(dim=1, stable=True)[:, : min(classes, logits.shape[1] - 1)]
    # Softmax over the similar classes alone is their confidences' share.
    near = logits.gather(1, similar)
    share = functional.softmax(near, dim=1)
    if shares == "differentiated":
        share = share * (1 + near - (share * near).sum(dim=1, keepdim=True))
    weights = torch.zeros_like(logits).scatter(1, similar, -alpha * share)
    gradients = derive(weights.scatter(1, targets[:, None], 1.0))
    return einsum("bd,bdhw->bhw", gradients.mean(dim=(2, 3)), activations).relu()
