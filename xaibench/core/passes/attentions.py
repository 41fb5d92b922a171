"""What a vision transformer's layers attend to, as maps over the image."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from xaibench.core.errors import Unsupported
from xaibench.core.model import Model, evaluating
from xaibench.core.passes.early_exits import early_exits
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.layer_names import short_name
from xaibench.core.passes.layers import cam_layer_of
from xaibench.core.passes.layouts import Tokens
from xaibench.core.passes.module_runs import observe
from xaibench.core.passes.open_attention import OpenAttention
from xaibench.core.passes.precision import at_least_single

# The weights of one layer and their gradients, (B, heads, Q, N) each -> (B, Q, N).
Join = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class AttentionForm:
    """How a network attends.

    Attributes:
        tokens: N.
        first: the first patch among them; class tokens and registers are before or behind.
        grid: (h, w) of the patches, row by row.
        readers: the tokens behind the last layer that the logits are read from: class tokens where
            there are any, else patches.
    """

    tokens: int
    first: int
    grid: tuple[int, int]
    readers: tuple[int, ...]


_found: WeakKeyDictionary[Model, dict[tuple[object, ...], AttentionForm]] = WeakKeyDictionary()


def attention_form(model: Model, images: Tensor) -> AttentionForm:
    """Find out by a trial how a network attends; noise stands for the images.

    Raises:
        Unsupported: it has no attention, or other than among all tokens in each layer.
        XaibenchError: it has no CAM layer, which tells where the patches lie.
    """
    known, asked = _found.setdefault(model, {}), (model.cam_layer, *images.shape[1:])
    if asked not in known:
        known[asked] = _find_form(model, images)
    return known[asked]


def try_attention(model: Model, images: Tensor, *, early: bool) -> None:
    """Try whether a network has attention for methods to read, and exits behind each layer.

    Raises:
        Unsupported: it hasn't.
        XaibenchError: it has no CAM layer.
    """
    attention_form(model, images)
    if early:
        targets = torch.zeros(1, dtype=torch.long, device=images.device)
        asked = Attentions(Engine(model, fold=False), images[:1], targets, early=True)
        with evaluating(model):
            asked.layers(lambda weights, _: weights.mean(dim=1), gradients=True)


@dataclass(frozen=True)
class Attended:
    """A pass with its attention opened.

    Attributes:
        weights: of each layer, as `OpenAttention` keeps them; from the first one on there is a
            graph, if one was asked for.
        logits: ``(B, K)``, and what fills the batch up.
        count: of images without that.
        filled: of images with it.
    """

    weights: list[Tensor]
    logits: Tensor
    count: int
    filled: int


def attend(
    engine: Engine, images: Tensor, *, gradients: bool = True, early: bool = False
) -> Attended:
    """Run a network once; ``early`` gives each layer logits of its own, one layer after another."""
    network = engine.fast(images)
    filled = engine.batch_size(images, graph=True).fill(images)
    opened = OpenAttention(("own" if early else "whole") if gradients else "none")
    exits = early_exits(network, opened) if early else nullcontext()
    with torch.inference_mode(mode=False), torch.no_grad():
        with engine.casting(), exits, opened:
            logits = network(filled.clone())
        engine.seen += len(images)
    return Attended(opened.weights, logits, len(images), len(filled))


class Attentions:
    """The attention of some images.

    Args:
        engine: the model's.
        images: ``(B, C, H, W)``.
        targets: ``(B,)``, whose logits are differentiated.
        early: gradients are those of the logit that each layer's own tokens would give if they
            were the last layer's; else of the logit as it is.
        attended: a pass with a graph that there was already; it is taken if it saw as many.
    """

    def __init__(
        self,
        engine: Engine,
        images: Tensor,
        targets: Tensor,
        *,
        early: bool = False,
        attended: Attended | None = None,
    ) -> None:
        self._engine, self._images, self._targets, self._early = engine, images, targets, early
        self._attended = attended
        self._form = attention_form(engine.model, images)

    def layers(self, join: Join, *, gradients: bool = False) -> list[Tensor]:
        """Return what ``join`` makes of each layer, ``(B, Q, N)``, the first layer first.

        Q is N, but for a last layer that pools all tokens: there it is 1. Heads are joined for a
        part of the images at a time, as all of them need much memory.

        Args:
            join: weights and gradients ``(b, heads, Q, N)`` -> ``(b, Q, N)``; without gradients it
                gets zeros of no size in their place.
            gradients: of the target's logit, by the weights.
        """

        def look(first: int, last: int) -> list[Tensor]:
            rows = slice(first, last)
            found = self._record(self._images[rows], self._targets[rows], gradients=gradients)
            return [join(*(at_least_single(each[: last - first]) for each in pair))
                    for pair in found]  # fmt: skip

        size = self._engine.batch_size(self._images, graph=True)
        parts = size.over(len(self._images), look)
        return [torch.cat(layer) for layer in zip(*parts, strict=True)]

    def read(self, total: Tensor) -> Tensor:
        """Return what the logits' tokens take from each patch, ``(B, Q, N)`` -> ``(B, h, w)``."""
        form = self._form
        rows = total if total.shape[1] == 1 else total[:, list(form.readers)]
        height, width = form.grid
        patches = rows.mean(dim=1).narrow(1, form.first, height * width)
        return patches.reshape(len(total), height, width)

    def _record(
        self, images: Tensor, targets: Tensor, *, gradients: bool
    ) -> list[tuple[Tensor, Tensor]]:
        """Return weights and gradients of each layer, of images and what fills them up."""
        done = self._attended
        kept = done is not None and done.count == len(images)
        if done is None or not kept:
            done = attend(self._engine, images, gradients=gradients, early=self._early)
        slopes = [each.new_zeros(0) for each in done.weights]
        if gradients:
            # Each exit has logits of its own; what only fills the batch up has no share.
            rows = done.logits.view(-1, done.filled, done.logits.shape[1])[:, : len(images)]
            chosen = rows.gather(2, targets.expand(len(rows), -1)[:, :, None]).sum()
            with self._engine.deriving():
                slopes = list(torch.autograd.grad(chosen, done.weights, retain_graph=kept))
        return [
            (_by_image(weights.detach(), done.filled), _by_image(slope, done.filled))
            for weights, slope in zip(done.weights, slopes, strict=True)
        ]


def _find_form(model: Model, images: Tensor) -> AttentionForm:
    layer = cam_layer_of(model, images)
    with OpenAttention() as opened:
        seen = observe(model, images.shape[1:], images)
    if not opened.weights:
        raise Unsupported("the network has no attention")
    if not isinstance(layer.layout, Tokens) or layer.layout.axis != 1:
        raise Unsupported(
            f"its layer '{short_name(layer.name)}' gives no tokens (B, N, D), so that it can't be "
            "told what part of the image each stands for"
        )
    first, (height, width) = layer.layout.first, layer.layout.grid
    tokens = (seen.of(layer.module)[-1].shape or ())[1]
    _refuse_parts(opened.weights, tokens)
    if opened.weights[-1].shape[-2] < tokens:  # it pools, and reads all
        return AttentionForm(tokens, first, (height, width), tuple(range(tokens)))
    (slope,) = torch.autograd.grad(seen.probe, opened.weights[-1], allow_unused=True)
    if slope is None or not slope.any():
        raise Unsupported("the logits don't depend on its last attention")
    read = (slope.abs().flatten(0, -3).sum(dim=(0, 2)) > 0).nonzero()[:, 0].tolist()
    others = [each for each in read if not first <= each < first + height * width]
    return AttentionForm(tokens, first, (height, width), tuple(others or read))


def _refuse_parts(weights: list[Tensor], tokens: int) -> None:
    """Refuse attention in windows, by channels or in several resolutions.

    Raises:
        Unsupported: a layer has it.
    """
    *before, last = (tuple(each.shape[-2:]) for each in weights)
    wrong = [each for each in before if each != (tokens, tokens)]
    wrong += [last] if last not in ((tokens, tokens), (1, tokens)) else []
    if wrong:
        raise Unsupported(
            f"not all of its {tokens} tokens attend to all in each layer, but in windows, by "
            f"channels or in several resolutions (by {wrong[0][0]} x {wrong[0][1]})"
        )


def _by_image(values: Tensor, count: int) -> Tensor:
    """Return ``(B, heads, Q, N)``; heads may be with the images."""
    if not values.numel():
        return values
    return values.reshape(count, -1, *values.shape[-2:])
