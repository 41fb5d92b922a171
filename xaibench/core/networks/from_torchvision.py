"""Classification networks of torchvision, by their bare names."""

from urllib.error import URLError

import torchvision
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import IMAGENET_MEAN, IMAGENET_STD
from xaibench.core.suggest import did_you_mean

# They hand out two kinds of logits in training, unless told not to.
_WITHOUT_SECOND_HEAD = {"aux_logits": False, "init_weights": True}
_TWO_HEADED = ("googlenet", "inception_v3")
# Their ImageNet weights expect pixels from -1 to 1 (torchvision: transform_input). The name decides
# and not whether there are weights, as stored models are built without.
_CENTERED = ("googlenet", "inception_v3", "efficientnet_v2_l")


def names() -> list[str]:
    """Return the names of all classification networks."""
    known: list[str] = torchvision.models.list_models(module=torchvision.models)
    return known


def build(name: str, classes: int, size: int) -> nn.Module:  # noqa: ARG001 (as of all sources)
    """Return a network without weights, made for ImageNet's classes.

    Raises:
        XaibenchError: there is no such network.
    """
    if name not in names():
        raise XaibenchError(
            f"'{name}' is not a backbone{did_you_mean(name, names())}; take a classification "
            "network of torchvision, such as resnet50 or densenet121, or timm/NAME."
        )
    options = _WITHOUT_SECOND_HEAD if name in _TWO_HEADED else {}
    network: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return network


def head_of(network: nn.Module) -> str:
    """Return the name of the last layer."""
    layers = [name for name, part in network.named_modules()
              if isinstance(part, nn.Linear | nn.Conv2d)]  # fmt: skip
    return str(layers[-1])


def normalization(name: str) -> dict[str, tuple[float, ...]]:
    """Return the ``mean`` and ``std`` of pixels that a network's ImageNet weights expect."""
    if name in _CENTERED:
        return {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    return {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}


def image_size(name: str) -> int | None:
    """Return the side of the images that its ImageNet weights have learned from, if it has any."""
    if name not in names():  # another's, behind an option of the same name
        return None
    known = torchvision.models.get_model_weights(name).__members__.get("IMAGENET1K_V1")
    return None if known is None else int(known.transforms.keywords["crop_size"])


def is_of_one_size(name: str) -> bool:  # noqa: ARG001 (as of all sources)
    """Whether weights are interpolated for other sizes; here such images are refused."""
    return False


def fetch_weights(name: str, size: int) -> dict[str, Tensor]:  # noqa: ARG001 (as of all sources)
    """Return the state dict of a network that learned from ImageNet alone.

    Raises:
        XaibenchError: there is none, or it can't be fetched.
    """
    if name not in names():
        raise XaibenchError(
            f"--weights imagenet: only networks of torchvision, timm/ and hf/ come trained, not "
            f"{name}; give its own state dict (--weights FILE), or the run that trained it "
            "(--run DIR)."
        )
    choices = torchvision.models.get_model_weights(name).__members__
    if "IMAGENET1K_V1" not in choices:
        raise XaibenchError(
            f"torchvision has no weights of {name} that were trained on ImageNet alone; train from "
            "scratch with --weights none, or give a state dict with --weights FILE."
        )
    try:
        state: dict[str, Tensor] = choices["IMAGENET1K_V1"].get_state_dict(
            progress=False, check_hash=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise XaibenchError(
            f"ImageNet weights of {name} could not be fetched ({error}); train from scratch with "
            "--weights none, or give a state dict with --weights FILE."
        ) from error
    return state
