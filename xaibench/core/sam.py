"""Segment Anything (kirillov2023sam) and its kin, such as MedSAM, in the layout of Hugging Face."""

import importlib
from functools import cache
from typing import Any

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError


def segment(name: str, image: Tensor, box: list[int], point: tuple[int, int]) -> Tensor:
    """Return each pixel's probability ``(H, W)`` of belonging to what a box and a point mark.

    Args:
        name: a folder, or an id of the hub.
        image: ``(C, H, W)`` in [0, 1], of one or three channels.
        box: left, top, right and bottom, in pixels.
        point: column and row of a pixel of the object.

    Raises:
        XaibenchError: transformers isn't installed, or there is no such network.
    """
    network, prepare = _load(name)
    device = image.device
    pixels = image.clamp(0, 1).expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()
    asked = prepare(
        pixels, input_boxes=[[box]], input_points=[[[list(point)]]], do_rescale=False,
        return_tensors="pt",
    )  # fmt: skip
    sizes = {key: asked.pop(key)[0].tolist() for key in ("original_sizes", "reshaped_input_sizes")}
    asked = {key: value.to(device) for key, value in asked.items()}
    with torch.no_grad():
        found = network.to(device)(**asked, multimask_output=False).pred_masks[0, 0]
    # The network sees the image enlarged to a square, with nothing below or beside it.
    whole = prepare.image_processor.pad_size
    large = torch.nn.functional.interpolate(
        found[None].float(), (whole["height"], whole["width"]), mode="bilinear"
    )
    rows, columns = sizes["reshaped_input_sizes"]
    cut = large[:, :, :rows, :columns]
    fitted = torch.nn.functional.interpolate(cut, sizes["original_sizes"], mode="bilinear")
    return fitted[0, 0].sigmoid()


@cache
def _load(name: str) -> tuple[Any, Any]:
    try:
        library = importlib.import_module("transformers")
        network = library.SamModel.from_pretrained(name).eval()
        return network, library.SamProcessor.from_pretrained(name)
    except Exception as error:  # whatever the library and the hub's client raise
        said = " ".join(str(error).split())[:200]
        raise XaibenchError(
            f"cam_to_mask[by=sam]: {name} can't be loaded ({type(error).__name__}: {said}); "
            "install xaibench[hf] and give the folder of a SAM network as sam=FOLDER, or take "
            "by=grabcut."
        ) from error
