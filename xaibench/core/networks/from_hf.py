"""Image classifiers in the layout of Hugging Face: from the hub, or from a folder."""

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.from_torchvision import head_of

__all__ = ["build", "fetch_weights", "head_of", "image_size", "is_of_one_size", "normalization"]

_SAFE = {"trust_remote_code": False}


def build(name: str, classes: int, size: int) -> nn.Module:  # noqa: ARG001 (as of all sources)
    """Return a network without weights, by its config.json.

    Args:
        name: an id of the hub, or a folder.
        classes: number of classes.
        size: of no account; such networks are built for the size in their configuration.

    Raises:
        XaibenchError: there is no configuration, or not of an image classifier.
    """
    library = _transformers()
    config = _ask(name, "config.json", library.AutoConfig.from_pretrained)
    config.num_labels = classes
    try:
        network: nn.Module = library.AutoModelForImageClassification.from_config(config, **_SAFE)
    except Exception as error:
        raise XaibenchError(
            f"hf/{name}: not a classifier of images that transformers knows without running code "
            f"of others ({_first_line(error)}); take another."
        ) from error
    return network


@cache
def normalization(name: str) -> dict[str, tuple[float, ...]]:
    """Return the ``mean`` and ``std`` of its preprocessor_config.json.

    Raises:
        XaibenchError: it names none.
    """
    found = _ask(name, "preprocessor_config.json", _read_preprocessor)
    if found.get("do_normalize", True) and not {"image_mean", "image_std"} <= found.keys():
        raise XaibenchError(
            f"hf/{name}: its preprocessor_config.json names no image_mean and image_std; add them."
        )
    if not found.get("do_normalize", True):
        return {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return {"mean": tuple(found["image_mean"]), "std": tuple(found["image_std"])}


def image_size(name: str) -> int | None:
    """Return the side of the images that its preprocessor_config.json makes, if it says so."""
    found = _ask(name, "preprocessor_config.json", _read_preprocessor)
    told = found.get("crop_size" if found.get("do_center_crop") else "size")
    side = told.get("height", told.get("shortest_edge")) if isinstance(told, dict) else told
    return side if isinstance(side, int) else None


def is_of_one_size(name: str) -> bool:  # noqa: ARG001 (as of all sources)
    """Whether weights are interpolated for other sizes; here such images are refused."""
    return False


def fetch_weights(name: str, size: int) -> dict[str, Tensor]:  # noqa: ARG001 (as of all sources)
    """Return the state dict of its model.safetensors.

    Raises:
        XaibenchError: there is none.
    """
    load = _transformers().AutoModelForImageClassification.from_pretrained
    network = _ask(name, "model.safetensors", lambda where, **options: load(
        where, use_safetensors=True, **options))  # fmt: skip
    state: dict[str, Tensor] = network.state_dict()
    return state


def _read_preprocessor(where: str, **_options: Any) -> dict[str, Any]:
    folder = Path(where)
    hub = importlib.import_module("huggingface_hub")
    file = "preprocessor_config.json"
    path = folder / file if folder.is_dir() else Path(hub.hf_hub_download(where, file))
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _ask(name: str, what: str, load: Any) -> Any:
    try:
        return load(name, **_SAFE)
    except Exception as error:  # whatever the hub's client raises
        where = "in this folder" if Path(name).is_dir() else (
            "from the hub, and there is no such folder"
        )  # fmt: skip
        raise XaibenchError(
            f"hf/{name}: {what} could not be read {where} ({_first_line(error)}); give a folder "
            "that holds config.json, preprocessor_config.json and model.safetensors, or take a "
            "network of torchvision or timm/NAME."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:200]


def _transformers() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise XaibenchError(
            f"transformers can't be imported ({error}): pip install 'xaibench[hf]'."
        ) from error
