"""The share that every bias has in a logit: what full gradients are made of.

An operation's bias is what it gives beyond its derivative times what it got: the bias of a
convolution or a linear layer, a norm's shift, an added parameter, and where a nonlinearity isn't
piecewise linear through zero, its implicit bias (Srinivas 2019). With the input's share these add
up to the logit, in any network.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from xaibench.core.completeness import TOLERANCE, gaps
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.float32 import exact_float32
from xaibench.core.passes.intercepts import bias_and_cotangents
from xaibench.core.passes.opaque import refuse_opaque
from xaibench.core.passes.places import Places
from xaibench.core.passes.precision import at_least_single
from xaibench.core.passes.steps import Cotangents, Step, pass_back
from xaibench.core.passes.trace import trace


@exact_float32()
def sum_over_biases(
    engine: Engine,
    images: Tensor,
    targets: Tensor,
    term: Callable[[Tensor, Tensor], Tensor],
    promise: Callable[[Tensor, Tensor], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the gradients by the images, and ``term(gradient, bias)`` summed over all biases.

    Biases without a place, as those behind a pooling, count for the promise alone.

    Args:
        engine: the model's.
        images: ``(B, C, H, W)``.
        targets: ``(B,)``.
        term: (gradient ``(B, D, h, w)`` by an operation's result, its bias ``(D,)`` or
            ``(B, D, h, w)``) -> ``(B, H, W)``.
        promise: told the parts ``(B, 2)``, of the input and of all biases, and the logits ``(B,)``.

    Raises:
        XaibenchError: the network can't be followed, or it can't be told where a bias lies.
    """
    network = engine.model  # a folded norm has no bias of its own
    refuse_opaque(network)

    def run(given: Tensor) -> Tensor:
        with engine.casting():
            return at_least_single(network(given))

    def derive(first: int, last: int) -> tuple[Tensor, Tensor]:
        size, count = engine.batch_size(images, graph=True), last - first
        given = images[first:last].contiguous(memory_format=torch.channels_last)
        given = size.fill(given).clone()
        with torch.inference_mode(mode=False):
            passed = trace(run, given, whole_norms=True)
            engine.seen += count
            logits, places = passed.logits, Places(passed)
            rows, chosen = torch.arange(count, device=images.device), targets[first:last]
            start = torch.zeros_like(logits).index_put((rows, chosen), logits.new_ones([]))
            total, shares = torch.zeros_like(images[first:last, 0]), logits.new_zeros(len(given))

            def rule(step: Step, cotangents: Cotangents) -> Cotangents:
                inputs, result = passed.inputs(step), passed.outputs(step)[0]
                cotangent = cotangents[0]
                if result is None or cotangent is None:
                    return step.pull_back(inputs, cotangents)
                bias, before = bias_and_cotangents(step, inputs, result, cotangents)
                if bias is not None:
                    found = places.laid_out(step, cotangent, bias)
                    shares.add_(_share(*(found or (cotangent, bias)), len(given)))
                    if found is not None:
                        gradient, value = (at_least_single(each) for each in found)
                        value = value if value.ndim == 1 else value[:count]
                        total.add_(term(gradient[:count], value))
                return before

            gradient = pass_back(passed, start, rule)
        inputs = (gradient * given).flatten(1).sum(dim=1)
        parts, owed = torch.stack([inputs, shares], dim=1)[:count], logits[rows, chosen]
        if bool((gaps(parts, owed) > TOLERANCE).any()):
            raise XaibenchError(
                "fullgrad's parts don't add up to this network's logits; use fp32, or "
                "integrated_gradients."
            )
        if promise is not None:
            promise(parts, owed)
        return gradient[:count], total

    parts = list(engine.batch_size(images, graph=True).over(len(images), derive))
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _share(gradient: Tensor, bias: Tensor, count: int) -> Tensor:
    """Return the sum ``(count,)`` of gradient times bias for each image."""
    if bias.ndim == 1 and gradient.ndim > 2:  # noqa: PLR2004
        gradient = gradient.sum(dim=tuple(range(2, gradient.ndim)))
    parts = gradient * bias
    return parts.sum(dim=tuple(range(1, parts.ndim))).view(count, -1).sum(dim=1)
