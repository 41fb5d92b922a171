"""A class activation map as the seed of a segmentation: the map says where, the image how far."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xaibench.core.errors import Unsupported, XaibenchError
from xaibench.core.maps import finish
from xaibench.core.peers import import_peer
from xaibench.core.registry import method
from xaibench.core.sam import segment

_HALF, _COLORS = 0.5, 3
_ROUNDS = 5
_OUTSIDE, _INSIDE = 1, 2


@method(paper="grady2006random", family="cam", sign="none", rescale="none")
def cam_to_mask(
    images: Tensor,
    activations: Tensor,
    gradients: Tensor,
    *,
    of: Literal["gradcam", "hirescam", "layercam"] = "gradcam",
    by: Literal["random_walker", "grabcut", "sam"] = "random_walker",
    inside: float = 0.8,
    outside: float = 0.2,
    sam: str = "facebook/sam-vit-base",
) -> Tensor:
    """Return each pixel's probability of belonging to what the map marks, shape (B, H, W).

    A map without a peak, and one of which no pixel is surely outside, gives zeros.

    Options:
        of: the map; it is enlarged to the image's size and stretched to [0, 1].
        by: ``random_walker`` asks which seed a walker reaches first who shuns edges
            (grady2006random), ``grabcut`` cuts the image by the colors of both sides, into 0 and 1
            (rother2004grabcut), ``sam`` asks Segment Anything for what lies in the box around half
            of the map's maximum, at its peak.
        inside: what reaches this share of the maximum is surely inside.
        outside: what doesn't reach this share is surely outside.
        sam: of ``by=sam``: a folder or an id of the hub, such as that of MedSAM.
    """
    if not 0 < outside < inside <= 1:
        raise XaibenchError("cam_to_mask: 0 < outside < inside <= 1.")
    if by != "random_walker" and images.shape[1] not in (1, _COLORS):
        raise Unsupported(f"by={by} takes colors, and the images have {images.shape[1]} channels")
    size = (images.shape[2], images.shape[3])
    maps, _ = finish(_map_of(of, activations, gradients), size)
    found = torch.zeros_like(maps)
    for row, (image, heat) in enumerate(zip(images, maps, strict=True)):
        sure_outside = heat < outside
        if not (heat >= inside).any() or not sure_outside.any():
            continue
        if by == "sam":
            found[row] = _ask_sam(sam, image, heat)
            continue
        grown = _walk if by == "random_walker" else _cut
        seeds = _INSIDE * (heat >= inside).int() + _OUTSIDE * sure_outside.int()
        if seeds.all():  # nothing is left to be settled
            found[row] = (seeds == _INSIDE).to(found)
            continue
        seen = image.expand(_COLORS, -1, -1) if len(image) == 1 else image
        pixels = seen.permute(1, 2, 0).double().cpu().numpy()
        mask = grown(pixels, seeds.cpu().numpy(), heat.cpu().numpy())
        found[row] = torch.from_numpy(mask).to(found)
    return found


def _map_of(of: str, activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the map of the method of that name, ``(B, h, w)``."""
    weights = gradients
    if of == "gradcam":
        weights = gradients.mean(dim=(2, 3), keepdim=True)
    elif of == "layercam":
        weights = gradients.relu()
    return (weights * activations).sum(dim=1).relu()


_Pixels = NDArray[np.float64]
_Seeds = NDArray[np.int32]


def _walk(pixels: _Pixels, seeds: _Seeds, heat: NDArray[np.float32]) -> _Pixels:
    if not np.ptp(pixels):  # no edge anywhere tells how far
        return (heat >= _HALF).astype(float)
    library = import_peer("skimage.segmentation")
    found: _Pixels = library.random_walker(
        pixels, seeds, mode="bf", return_full_prob=True, channel_axis=2
    )[_INSIDE - 1]
    return found


def _cut(pixels: _Pixels, seeds: _Seeds, heat: NDArray[np.float32]) -> _Pixels:
    cv2 = import_peer("cv2")
    likely = np.where(heat >= _HALF, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    known = np.where(seeds == _INSIDE, cv2.GC_FGD, cv2.GC_BGD)
    mask = np.where(seeds > 0, known, likely).astype(np.uint8)
    cv2.setRNGSeed(0)  # clusters of colors begin at random
    shown = np.ascontiguousarray((255 * pixels).round().astype(np.uint8))
    models = np.zeros((2, 1, 65))
    cv2.grabCut(shown, mask, None, models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(float)


def _ask_sam(sam: str, image: Tensor, heat: Tensor) -> Tensor:
    rows, columns = (axis.tolist() for axis in torch.where(heat >= _HALF))
    peak = int(heat.argmax())
    point = (peak % heat.shape[1], peak // heat.shape[1])
    return segment(sam, image, [min(columns), min(rows), max(columns), max(rows)], point)
