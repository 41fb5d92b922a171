"""Networks by name against the plain library: attention, a pass, and a step of training."""

import copy
from collections.abc import Callable, Iterator

import timm
import torch
from contest import Contest, Setting
from torch import Tensor, nn
from torch.nn import functional

import xaibench
from xaibench.core.batch import Batch
from xaibench.core.model import Model
from xaibench.core.passes.device import place_images, place_model
from xaibench.core.passes.engine import Engine
from xaibench.core.registry import bind
from xaibench.setup.building import ModelWords, numbered
from xaibench.training.optimize import make_optimizer

VIT, CNN, TARGET = "vit_base_patch16_224", "tf_efficientnet_lite0", 1


def attention(setting: Setting) -> Iterator[Contest]:
    """Relevance of all layers' attention, at the price of one forward and backward."""
    model = _ours(VIT, setting).eval().requires_grad_(requires_grad=False)
    explainer = xaibench.Explainer(model)

    def plain() -> Tensor:
        images = setting.images.clone().requires_grad_()
        return torch.autograd.grad(model(images)[:, TARGET].sum(), images)[0]

    yield Contest(
        f"attention of {VIT}", "<= 1.3x", len(setting.images),
        lambda: explainer(setting.images, TARGET, ["attention"]),
        {"forward and backward": plain}, passes=3,
    )  # fmt: skip


def named(setting: Setting) -> Iterator[Contest]:
    """A network of timm through us, and as it is."""
    model, images = _ours(CNN, setting), setting.images
    theirs = timm.create_model(CNN, num_classes=2)
    theirs.load_state_dict(model.network.state_dict())
    mean, std = (getattr(model, each).clone() for each in ("mean", "std"))
    engine = Engine(copy.deepcopy(model).eval())

    def plain() -> Tensor:
        with torch.inference_mode():
            return theirs.eval()((images - mean) / std).softmax(dim=1)

    yield Contest(
        f"a pass of {CNN}", "<= 1.05x", len(images), lambda: engine.predict(images),
        {"timm": plain}, passes=1, difference=lambda a, b: float((a - b).abs().max()),
    )  # fmt: skip
    yield Contest(
        f"a training step of {CNN}", "<= 1.02x", len(images), _our_step(model, images),
        {"timm": _plain_step(theirs, (images - mean) / std)}, passes=3,
    )  # fmt: skip


def _ours(name: str, setting: Setting) -> Model:
    torch.manual_seed(0)
    words = ModelWords(numbered(2), setting.images.shape[2])
    model: Model = bind("model", f"timm/{name}")(words)
    return model


def _our_step(model: Model, images: Tensor) -> Callable[[], None]:
    """Return a step as training takes it: its optimizer, its layout, its loss."""
    device, labels = torch.device("cpu"), torch.arange(len(images)) % 2
    model = place_model(copy.deepcopy(model), device).train()
    optimizer = make_optimizer("adamw", model, 1e-4)
    pixels = (255 * images).byte()
    masks = torch.zeros(len(images), *images.shape[2:], dtype=torch.int8)

    def step() -> None:
        placed = place_images(pixels, device)
        batch = Batch(placed, labels, masks, labels < 0, len(images), 1)
        optimizer.zero_grad(set_to_none=True)
        model.loss(batch)["loss"].backward()
        optimizer.step()

    return step


def _plain_step(network: nn.Module, images: Tensor) -> Callable[[], None]:
    network, labels = copy.deepcopy(network), torch.arange(len(images)) % 2
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)

    def step() -> None:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return step
