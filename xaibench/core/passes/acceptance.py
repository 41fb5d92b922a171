"""What a model's numbers are, and whether an image has one answer: found by two small passes."""

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, Outputs, evaluating
from xaibench.core.output_form import OutputForm
from xaibench.core.passes.batching import let_through
from xaibench.core.passes.compiling import eagerly
from xaibench.core.passes.graph import operation
from xaibench.core.passes.layer_names import short_name

# Of what noise images differ by, and of the largest value: what rounding may change.
_OF_SPREAD, _OF_SIZE = 1e-2, 1e-5
_SUM_ERROR, _RANGE_ERROR = 1e-3, 1e-6
# Pixels far outside of [0, 1] drive logits out of it, and probabilities nowhere.
_FAR, _TRIES = 60, 3
# Steps that only move or average numbers, and last steps that make no probabilities.
_MOVES = (
    "Alias",
    "Cat",
    "Clone",
    "Mean",
    "Permute",
    "Select",
    "Slice",
    "Squeeze",
    "Stack",
    "ToCopy",
    "Transpose",
    "Unbind",
    "UnsafeView",
    "Unsqueeze",
    "View",
)
_UNBOUNDED = ("Addmm", "Mm", "Convolution", "Relu")
# Steps that end logarithms of probabilities; the last behind a minus sign.
_LOGARITHMS = ("LogSigmoid", "LogSoftmax", "Log", "Log1P", "NegSoftplus")


def accept(model: Model, images: Tensor, *, dependent: bool = False) -> None:
    """Find out how a model's numbers are to be read, and set ``output_form`` and ``class_count``.

    Rows in [0, 1] that sum to 1 are probabilities. Other numbers in [0, 1] may be either, unless a
    linear layer has made them.

    Args:
        model: left in the mode it was in.
        images: of the form ``(B, C, H, W)`` that it gets; noise of that form is what it sees.
        dependent: take it even if an image's answer depends on chance or on its batch.

    Raises:
        XaibenchError: only the option ``output`` can tell what the numbers are, or it contradicts
            them; or an image's answer depends on chance or on the rest of its batch.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, *images.shape[1:], generator=generator).to(images)
    refuse_fixed(model)
    with torch.inference_mode(mode=False), evaluating(model), eagerly():
        with torch.enable_grad():
            alone = model.outputs(noise[:1].clone().requires_grad_().clone())
        with torch.no_grad():
            pair = model.outputs(noise.clone())
            if (len(alone.logits), len(pair.logits)) != (1, 2):
                raise XaibenchError(
                    f"the network must return logits (B, K), but for one image it returned "
                    f"{len(alone.logits)} rows, and for two {len(pair.logits)}."
                )
            if _is_checkpointed(alone.logits):
                raise XaibenchError(
                    "it holds reentrant checkpoints, which can't be differentiated by a layer; "
                    "call torch.utils.checkpoint with use_reentrant=False."
                )
            if not dependent:
                _refuse_dependence(model, noise, alone, pair)
            form = OutputForm()
            if model.classifies:
                form = _find_form(model, noise, pair.logits, _last_step(alone.logits))
    model.output_form, model.class_count = form, form.logits(pair.logits).shape[1]


def refuse_fixed(network: nn.Module) -> None:
    """Refuse a network whose mode can't be set: it was frozen, or exported.

    Raises:
        XaibenchError: a part is such a program.
    """
    for name, part in network.named_modules():
        frozen = isinstance(part, torch.jit.ScriptModule) and not hasattr(part, "training")
        if frozen or part.train.__module__.startswith("torch.export"):
            made = "a frozen TorchScript" if frozen else "a program of torch.export"
            where = "the network" if name in ("", "network") else f"its '{short_name(name)}'"
            raise XaibenchError(
                f"{where} is {made}, which keeps neither layers nor modes; pass the network from "
                "which it was made."
            )


def _find_form(model: Model, noise: Tensor, numbers: Tensor, last: str) -> OutputForm:
    count, kind = numbers.shape[1], model.output_choice.kind
    if not count:
        raise XaibenchError("it returns no logits; say so by `classifies = False`.")
    inside = _are_shares(numbers)
    if inside and (far := _look_far(model, noise)) is not None:
        numbers = torch.cat([numbers, far])
        inside = _are_shares(numbers)
    if inside and count > 1 and (numbers.sum(dim=1) - 1).abs().max() < _SUM_ERROR:
        if kind == "logits":
            raise XaibenchError(
                "output='logits': the outputs lie in [0, 1] and sum to 1, so that they are "
                "probabilities; drop the option."
            )
        return OutputForm(probabilities=True)
    if bool((numbers == 1).all()):
        raise XaibenchError(
            "its outputs are always 1, as of a softmax over a single class; return the logits "
            "themselves."
        )
    if kind is None and (whole := _common_sum(numbers)):
        raise XaibenchError(
            f"its outputs are never negative and always sum to {whole:.4g}, as of probabilities "
            "that are multiplied by it; return probabilities that sum to 1, or say output='logits'."
        )
    if kind == "probabilities" and not inside:
        raise XaibenchError(
            f"output='probabilities': the outputs reach from {numbers.min():.3g} to "
            f"{numbers.max():.3g}, so that they are logits; drop the option."
        )
    if kind is None and last in _LOGARITHMS:
        _refuse_logarithms(model, noise, numbers)
    # A fresh head may give zeros.
    if kind is None and inside and last.removeprefix("Neg") not in _UNBOUNDED and numbers.any():
        raise XaibenchError(
            f"its outputs lie in [0, 1] (from {numbers.min():.3g} to {numbers.max():.3g}) "
            f"{'but do not sum to 1' if count > 1 else 'and are one an image'}: they may be logits "
            "or probabilities; say which by output='logits' or output='probabilities'."
        )
    if kind == "probabilities":
        return OutputForm(probabilities=True, separate=True, single=count == 1)
    return OutputForm.of_logits(numbers)


def _are_shares(numbers: Tensor) -> bool:
    return bool(((numbers >= -_RANGE_ERROR) & (numbers <= 1 + _RANGE_ERROR)).all())


def _common_sum(numbers: Tensor) -> float | None:
    """Return what all rows of several positive numbers sum to, None if that or they differ."""
    sums, varied = numbers.double().sum(dim=1), (numbers - numbers[:1]).abs().max()
    whole = float(sums[0])
    shares = numbers.shape[1] > 1 and bool((numbers >= 0).all())
    equal = bool((sums - whole).abs().max() < _SUM_ERROR * varied)
    return whole if shares and equal else None


def _look_far(model: Model, noise: Tensor) -> Tensor | None:
    """Return the finite numbers ``(n, K)`` for images that leave only probabilities in [0, 1]."""
    try:
        numbers = model.outputs((noise - 0.5) * _FAR).logits
    except Exception as error:  # some networks take pixels of [0, 1] only
        let_through(error)
        return None
    return numbers[numbers.isfinite().all(dim=1)]


def _refuse_logarithms(model: Model, noise: Tensor, numbers: Tensor) -> None:
    """Refuse logarithms of probabilities, unless those sum to 1 and so are logits, too.

    Raises:
        XaibenchError: they are such.
    """
    far = _look_far(model, noise)
    numbers = numbers if far is None else torch.cat([numbers, far])
    alike = (numbers.exp().sum(dim=1) - 1).abs().max() < _SUM_ERROR
    if alike and numbers.shape[1] == 1:
        raise XaibenchError(
            "its outputs are always 0, as of a log-softmax over a single class; return the logits "
            "themselves."
        )
    if not alike and bool((numbers <= 0).all()):
        raise XaibenchError(
            "its outputs are never above 0, as logarithms of probabilities that do not sum to 1: "
            "return the logits or the probabilities themselves, or explain these numbers as they "
            "are by output='logits'."
        )


def _last_step(numbers: Tensor) -> str:
    """Return what made the numbers, past what only moves them; empty where no gradient tells."""
    step, sign = numbers.grad_fn, ""
    while step is not None and operation(step) in (*_MOVES, "Neg"):
        sign = "Neg" if operation(step) == "Neg" else sign
        step = step.next_functions[0][0]
    return "" if step is None else sign + operation(step)


def _is_checkpointed(numbers: Tensor) -> bool:
    """Whether a reentrant checkpoint is in their graph."""
    waiting, known = [numbers.grad_fn], set()
    while waiting:
        step = waiting.pop()
        if step is None or step in known:
            continue
        if operation(step) == "CheckpointFunction":
            return True
        known.add(step)
        waiting += [before for before, _ in step.next_functions]
    return False


def _differing(ours: Outputs, theirs: Outputs, pair: Outputs) -> str | None:
    """Return the name of the first output in which the first image differs beyond rounding."""
    for name, both in pair._asdict().items():
        if both is None or not both.numel():
            continue
        spread, size = (both[0] - both[1]).abs().max(), both.abs().max()
        difference = (getattr(ours, name)[0] - getattr(theirs, name)[0]).abs().max()
        if difference > _OF_SPREAD * spread + _OF_SIZE * size:
            return name
    return None


def _refuse_dependence(model: Model, noise: Tensor, alone: Outputs, pair: Outputs) -> None:
    """Say whether it is chance or company that changes an image's answer, if any does.

    Raises:
        XaibenchError: one does.
    """
    what = _differing(alone, pair, pair)
    if what is None:
        return
    if any(_differing(alone, model.outputs(noise[:1].clone()), pair) for _ in range(_TRIES)):
        raise XaibenchError(
            f"in evaluation mode the same image gives different {what} each time; make all that is "
            "random follow self.training, as nn.Dropout does."
        )
    norms = [
        short_name(name)
        for name, part in model.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None
    ]
    cause = f" ({', '.join(norms[:3])}: no running statistics)" if norms else ""
    raise XaibenchError(
        f"an image has other {what} alone than beside another{cause}; normalize with running "
        "statistics in evaluation mode, and never over the batch."
    )
