"""Ways that gradients don't go: parts under ``torch.no_grad``, and what is detached."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, evaluating
from xaibench.core.passes.batching import let_through
from xaibench.core.passes.compiling import eagerly
from xaibench.core.passes.inside_torch import DispatchMode
from xaibench.core.passes.layer_names import named_layer, short_name
from xaibench.core.passes.trace import MADE_ANEW
from xaibench.core.passes.trees import leaves_of

# By model, and the layer from which gradients are asked for: None for the images.
_found: WeakKeyDictionary[Model, dict[str | None, bool]] = WeakKeyDictionary()


class _Watch(DispatchMode):  # type: ignore[misc]
    """Follow values from a start, and tell those that came a way without gradients, too."""

    def __init__(self) -> None:
        super().__init__()
        self._reached: dict[int, tuple[Tensor, bool]] = {}

    def start(self, value: Tensor) -> None:
        """Follow this value."""
        self._reached[id(value)] = value, False

    def is_cut(self, value: Tensor) -> bool:
        """Whether a value depends on the start by a way without gradients."""
        _, cut = self._reached.get(id(value), (None, False))
        own = isinstance(value.grad_fn, torch.autograd.function.BackwardCFunction)
        return id(value) in self._reached and not own and (cut or not value.requires_grad)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        taken = [
            each
            for each in leaves_of((args, kwargs))
            if isinstance(each, Tensor) and id(each) in self._reached
        ]
        # Before it runs, as what is written in place changes.
        cut = any(self.is_cut(each) for each in taken)
        found = func(*args, **kwargs)
        for each in leaves_of(found) if taken else ():
            # Comparisons and places have no derivative that could be missed.
            follows = isinstance(each, Tensor) and each.is_floating_point()
            if follows and func.overloadpacket not in MADE_ANEW:
                self._reached[id(each)] = each, cut
        return found


def refuse_cuts(model: Model, images: Tensor, layer: str | None = None) -> None:
    """Refuse gradients that would miss a part of what the logits depend on.

    A network that can't be followed so passes.

    Args:
        model: gives logits.
        images: of the form that counts; noise of that form is what it sees.
        layer: from whose output on the gradients are asked for; None is from the images.

    Raises:
        XaibenchError: the logits depend on it by a way without gradients, too.
    """
    known = _found.setdefault(model, {})
    if layer not in known:
        known[layer] = _has_cuts(model, images, layer)
    if known[layer]:
        start = "its images" if layer is None else f"layer '{short_name(layer)}'"
        raise XaibenchError(
            f"gradients would miss a part of the network: its logits depend on {start} also by "
            "what runs under torch.no_grad or is detached; let gradients through, or choose a "
            "method without them."
        )


def _has_cuts(model: Model, images: Tensor, layer: str | None) -> bool:
    watch, handle = _Watch(), None

    def follow(_part: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        leaf = output.detach().clone().requires_grad_()
        watch.start(leaf)
        return leaf.clone()

    with torch.inference_mode(mode=False), torch.enable_grad(), eagerly(), evaluating(model):
        noise = torch.rand(1, *images.shape[1:], generator=torch.Generator().manual_seed(0))
        leaf = noise.to(images.device, images.dtype).requires_grad_()
        if layer is None:
            watch.start(leaf)
        else:
            handle = named_layer(model, layer).register_forward_hook(follow)
        try:
            with watch:
                return watch.is_cut(model.outputs(leaf.clone()).logits)
        except (
            Exception
        ) as error:  # what can't be watched may be scripted, quantized, or anything else
            let_through(error)
            return False
        finally:
            if handle is not None:
                handle.remove()
