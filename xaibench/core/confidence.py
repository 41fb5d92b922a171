"""The confidence of a target, which faithfulness is measured by."""

from collections.abc import Callable

from torch import Tensor

Predict = Callable[[Tensor], Tensor]


def confidence_of(targets: Tensor, images: Tensor, predict: Predict) -> Tensor:
    """Return each image's confidence of its target, ``(n * B,)``.

    Args:
        targets: ``(B,)``.
        images: ``(n * B, C, H, W)``: all images of the batch, n times in a row.
        predict: images -> confidences ``(n * B, K)``.
    """
    repeated = targets.repeat(len(images) // len(targets))
    return predict(images).gather(1, repeated[:, None])[:, 0]
