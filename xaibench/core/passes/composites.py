"""Operations that are made of simpler ones, as each of these has a rule."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_aten = torch.ops.aten


def _layer_norm(
    values: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    normed, mean, deviation = _normed(values, tuple(range(-len(shape), 0)), eps)
    return _affine(normed, weight, bias), mean, deviation


def _group_norm(
    values: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    count: int,
    channels: int,
    _size: int,
    groups: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    rows = values.reshape(count, groups, -1)
    normed, mean, deviation = _normed(rows, (-1,), eps)
    each = (1, channels, *[1] * (values.ndim - 2))
    weight, bias = (part if part is None else part.reshape(each) for part in (weight, bias))
    return _affine(normed.reshape(values.shape), weight, bias), mean, deviation


def _rms_norm(
    values: Tensor, shape: Sequence[int], weight: Tensor | None, eps: float | None
) -> tuple[Tensor, Tensor]:
    eps = torch.finfo(values.dtype).eps if eps is None else eps
    mean = (values * values).mean(dim=tuple(range(-len(shape), 0)), keepdim=True)
    deviation = (mean + eps).sqrt()
    return _affine(values / deviation, weight, None), deviation


def _normed(values: Tensor, dims: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    mean = values.mean(dim=dims, keepdim=True)
    centered = values - mean
    deviation = ((centered * centered).mean(dim=dims, keepdim=True) + eps).sqrt()
    return centered / deviation, mean, deviation


def _affine(values: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    values = values if weight is None else values * weight
    return values if bias is None else values + bias


def _batch_norm(
    values: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    training: bool,
    _momentum: float,
    eps: float,
) -> Any:
    """Follow the values' own statistics, as instance norms do; with stored ones it is linear."""
    if not training and mean is not None and variance is not None:
        return NotImplemented
    each = (1, -1, *[1] * (values.ndim - 2))
    normed, center, deviation = _normed(values, (0, *range(2, values.ndim)), eps)
    weight, bias = (part if part is None else part.reshape(each) for part in (weight, bias))
    return _affine(normed, weight, bias), center, deviation


def _variance(
    values: Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Tensor:
    dims = tuple(range(values.ndim)) if not dim else tuple(dim)
    centered = values - values.mean(dim=dims, keepdim=True)
    count = torch.tensor(values.shape)[list(dims)].prod().item()
    freedom = count - (1 if correction is None else correction)
    return (centered * centered).sum(dim=dims, keepdim=keepdim) / freedom


def _variance_and_mean(
    values: Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    dims = tuple(range(values.ndim)) if not dim else tuple(dim)
    variance = _variance(values, dims, correction=correction, keepdim=keepdim)
    return variance, values.mean(dim=dims, keepdim=keepdim)


def _deviation(values: Tensor, dim: Sequence[int] | None = None, **options: Any) -> Tensor:
    return _variance(values, dim, **options).sqrt()


def _norm(
    values: Tensor,
    order: float = 2,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    **_: Any,
) -> Tensor:
    dims = tuple(range(values.ndim)) if dim is None else tuple(dim)
    if order == float("inf"):
        return values.abs().amax(dim=dims, keepdim=keepdim)
    if order == 1:
        return values.abs().sum(dim=dims, keepdim=keepdim)
    squares = values * values if order == 2 else values.abs() ** order  # noqa: PLR2004
    total = squares.sum(dim=dims, keepdim=keepdim)
    return total.sqrt() if order == 2 else total ** (1 / order)  # noqa: PLR2004


def _gated(values: Tensor, dim: int = -1) -> Tensor:
    first, second = values.chunk(2, dim)
    return first * second.sigmoid()


def _product(values: Tensor, dim: int, keepdim: bool = False, **_: Any) -> Tensor:
    first, *others = values.unbind(dim)
    for other in others:
        first = first * other
    return first.unsqueeze(dim) if keepdim else first


def _copied(values: Tensor, source: Tensor, _later: bool = False) -> Tensor:
    source = source.to(values.dtype)
    return source if source.shape == values.shape else source.expand(values.shape)


def _put(values: Tensor, indices: Sequence[Tensor | None], put: Tensor, add: bool = False) -> Any:
    """Follow what is put where a condition on the values holds."""
    mask = indices[0]
    if add or len(indices) > 1 or mask is None or mask.dtype != torch.bool or put.numel() != 1:
        return NotImplemented
    mask = mask.reshape(*mask.shape, *[1] * (values.ndim - mask.ndim))
    return torch.where(mask, put.reshape([]), values)


# What writes into a part of a value.
WRITING: dict[Any, Callable[..., Any]] = {
    _aten.copy.default: _copied,
    _aten.index_put.default: _put,
}
COMPOSITES: dict[Any, Callable[..., Any]] = {
    **WRITING,
    _aten.native_layer_norm.default: _layer_norm,
    _aten.native_group_norm.default: _group_norm,
    _aten.native_batch_norm.default: _batch_norm,
    _aten.cudnn_batch_norm.default: _batch_norm,
    _aten.var.correction: _variance,
    _aten.var_mean.correction: _variance_and_mean,
    _aten.std.correction: _deviation,
    _aten.linalg_vector_norm.default: _norm,
    _aten.norm.ScalarOpt_dim: _norm,
    _aten.glu.default: _gated,
    _aten.prod.dim_int: _product,
}
if hasattr(_aten, "_fused_rms_norm"):
    COMPOSITES[_aten._fused_rms_norm.default] = _rms_norm
