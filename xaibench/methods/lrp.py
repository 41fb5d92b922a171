"""LRP: relevance passed back layer by layer through convolutional networks, residual ones too."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.errors import Unsupported
from xaibench.core.model import Classifier, Model
from xaibench.core.peers import import_peer, untouched
from xaibench.core.registry import method

Rules = Literal["EpsilonPlusFlat", "EpsilonPlus", "EpsilonAlpha2Beta1Flat", "EpsilonGammaBox"]
_LAYERS = frozenset({
    nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.Dropout,
    nn.AdaptiveAvgPool2d, nn.Flatten, nn.Identity,
})  # fmt: skip
_SUMS = frozenset({"add", "add_", "__add__", "__iadd__", "__radd__"})
_PRODUCTS = frozenset({"mul", "mul_", "__mul__", "__imul__", "__rmul__", "matmul", "einsum"})
_TINY = 1e-6  # zennit's


@method(paper="bach2015lrp", family="gradient", sign="none", wraps="zennit", title="LRP")
def lrp(
    images: Tensor,
    targets: Tensor,
    network: Model,
    promise: Callable[[Tensor, Tensor], None],
    *,
    rules: Rules = "EpsilonPlusFlat",
    part: Polarity = "positive",
) -> Tensor:
    """Return the relevance of the target's logit, 1 in all, summed over channels, (B, H, W).

    Batch norms are merged into convolutions; sums, as those of residual blocks, and means share
    relevance by what each term adds. What biases take is lost, and told as the gap of the sum.
    Networks with other layers are skipped: gates, layer norms and smooth activations have no rule.

    Options:
        rules: the composite of zennit: by layer, which rule.
        part: the part of the sum over channels that is kept.
    """
    _check(network)
    assert isinstance(network, Classifier)
    with untouched(network), torch.enable_grad():
        seen = network.normalize(images).detach().requires_grad_()
        bounds = [network.normalize(torch.full_like(images[:1], each)) for each in (0, 1)]
        with _composite(rules, *bounds).context(network.network) as modified:
            with _SharedSums():
                logits = network.output_choice.find(modified(seen))
            if logits.shape[1] <= int(targets.max()):
                raise Unsupported("LRP starts at the class's own logit, and the network has one.")
            start = torch.zeros_like(logits).scatter(1, targets[:, None], 1)
            (found,) = torch.autograd.grad(logits, seen, start)
    promise(found, found.new_ones(len(found)))
    return fold_channels(found, part)


def _check(network: Model) -> None:
    """Refuse what has no rule."""
    if not isinstance(network, Classifier):
        raise Unsupported("LRP has rules for a plain classifier alone.")
    leaves = [each for each in network.network.modules()
              if not any(each.children()) or isinstance(each, nn.BatchNorm2d)]  # fmt: skip
    if unknown := {type(each).__name__ for each in leaves if type(each) not in _LAYERS}:
        raise Unsupported(f"LRP has no rule for {', '.join(sorted(unknown))}.")
    for before, norm in pairwise([None, *leaves]):
        if isinstance(norm, nn.BatchNorm2d) and not (
            isinstance(before, nn.Conv2d) and before.out_channels == norm.num_features
        ):
            raise Unsupported("LRP merges batch norms into convolutions before them; one has none.")


def _composite(rules: Rules, low: Tensor, high: Tensor) -> Any:
    canonizers = [import_peer("zennit.canonizers").SequentialMergeBatchNorm()]
    bounds = {"low": low, "high": high} if rules.endswith("Box") else {}
    return getattr(import_peer("zennit.composites"), rules)(canonizers=canonizers, **bounds)


class _SharedSums(TorchFunctionMode):
    """Lets sums and means share relevance, which zennit's rules do in modules alone."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        terms = [each for each in args if isinstance(each, Tensor) and each.requires_grad]
        if name in _PRODUCTS and len(terms) > 1:
            raise Unsupported("LRP has no rule for products of activations.")
        if not (name in _SUMS and len(terms) > 1) and not (name == "mean" and terms):
            return func(*args, **kwargs)
        entered = [_Enter.apply(each) if isinstance(each, Tensor) else each for each in args]
        plain = torch.add if name in _SUMS else func  # never in place
        return _Leave.apply(plain(*entered, **kwargs))


class _Enter(torch.autograd.Function):
    """A term: what it gets back is a share, times its value."""

    @staticmethod
    def forward(ctx: Any, term: Tensor) -> Tensor:
        ctx.save_for_backward(term)
        return term.view_as(term)

    @staticmethod
    def backward(ctx: Any, share: Tensor) -> Tensor:
        (term,) = ctx.saved_tensors
        found: Tensor = share * term
        return found


class _Leave(torch.autograd.Function):
    """A sum: its relevance by its value is each term's share."""

    @staticmethod
    def forward(ctx: Any, total: Tensor) -> Tensor:
        ctx.save_for_backward(total)
        return total.view_as(total)

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> Tensor:
        (total,) = ctx.saved_tensors
        found: Tensor = relevance / (total + torch.where(total < 0, -_TINY, _TINY))
        return found
