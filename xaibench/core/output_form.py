"""What a network returns: which part of it counts, and how its numbers are to be read."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.errors import XaibenchError

_KINDS = ("logits", "probabilities")


@dataclass(frozen=True)
class OutputForm:
    """How a network's numbers become logits ``(B, K)``, and logits confidences.

    Logits are what is explained: methods differentiate and compare them. One logit z stands for two
    classes with the logits -z and z and the confidences sigmoid(-z) and sigmoid(z). (Halves of them
    would have these confidences as their softmax; but they would halve what Score-CAM and
    Grad-CAM++ weigh by, and 0 for the first class would have no gradient.)

    Attributes:
        probabilities: the numbers are probabilities. Their logits are log p where the classes
            exclude each other, and log p / (1 - p) where each class is independent.
        separate: a confidence is the sigmoid of its logit; otherwise the softmax over all.
        single: one number, of class 1, for two classes.
    """

    probabilities: bool = False
    separate: bool = False
    single: bool = False

    @classmethod
    def of_logits(cls, numbers: Tensor) -> Self:
        """Return the form of logits ``(B, K)``, or ``(B, 1)`` for two classes."""
        single = numbers.shape[1] == 1
        return cls(separate=single, single=single)

    def logits(self, numbers: Tensor) -> Tensor:
        """Return logits ``(B, K)``; infinite where a separate class's p is rounded to 0 or 1."""
        if self.probabilities:
            numbers = numbers.logit() if self.separate else _log(numbers)
        return torch.cat([-numbers, numbers], dim=1) if self.single else numbers

    def confidences(self, logits: Tensor) -> Tensor:
        """Return confidences ``(B, K)`` of such logits."""
        return logits.sigmoid() if self.separate else functional.softmax(logits, dim=1)

    def log_likelihoods(self, numbers: Tensor) -> Tensor:
        """Return the logarithms ``(B, K)`` of the confidences that numbers mean.

        Raises:
            XaibenchError: each class is independent, so that no label tells what the others are.
        """
        if self.separate and not self.single:
            raise XaibenchError(
                "its outputs are separate probabilities, which one label an image can't train; "
                "define loss(), or end the network with logits."
            )
        if self.probabilities:
            shares = torch.cat([1 - numbers, numbers], dim=1) if self.single else numbers
            return shares.clamp(min=_tiny(shares)).log()
        logits = self.logits(numbers)
        if self.single:
            return functional.logsigmoid(logits)
        return functional.log_softmax(logits, dim=1)


@dataclass(frozen=True)
class OutputChoice:
    """The option ``output``: which part of what a network returns counts, and what it holds.

    >>> OutputChoice.parse("1:probabilities")
    OutputChoice(part='1', kind='probabilities')

    Attributes:
        part: its name or number; None where there is one, or one named logits.
        kind: ``logits`` or ``probabilities``; None finds out.
    """

    part: str | None = None
    kind: str | None = None

    @classmethod
    def parse(cls, output: str | int | None) -> Self:
        """Read ``PART``, ``KIND`` or ``PART:KIND``."""
        if output is None:
            return cls()
        part, _, kind = str(output).rpartition(":")
        return cls(part or None, kind) if kind in _KINDS else cls(str(output))

    def find(self, result: Any) -> Tensor:
        """Return the numbers ``(B, K)``; ``(B,)`` are taken as ``(B, 1)``.

        Raises:
            XaibenchError: there is no such part, several could be meant, or it has another shape.
        """
        found = self._pick(result)
        if not isinstance(found, Tensor) or found.ndim > 2:  # noqa: PLR2004
            raise XaibenchError(
                f"the network must return logits (B, K), but it returned {_describe(found)}."
            )
        return found if found.ndim == 2 else found.reshape(-1, 1)  # noqa: PLR2004

    def _pick(self, result: Any) -> Any:
        parts = _parts(result)
        if parts is None:
            if self.part is not None:
                raise XaibenchError(
                    f"output={self.part!r}: the network returns one {type(result).__name__}, which "
                    "has no parts; drop it, or say output='logits' or 'probabilities'."
                )
            return result
        shown = ", ".join(f"{name}: {_describe(part)}" for name, part in parts.items())
        for name in (self.part, *((self.kind, "logits") if self.part is None else ())):
            if name in parts:
                return parts[name]
        if self.part is not None:
            try:
                return list(parts.values())[int(self.part)]
            except (ValueError, IndexError):
                raise XaibenchError(
                    f"output={self.part!r}: the network returns no such part, but {shown}."
                ) from None
        meant = [name for name, part in parts.items() if not _is_number(part)]
        if not meant:
            raise XaibenchError(
                f"the network must return logits (B, K), but it returned {shown or 'nothing'}."
            )
        if len(meant) > 1:
            fitting = [name for name in meant if getattr(parts[name], "ndim", 0) == 2]  # noqa: PLR2004
            raise XaibenchError(
                f"the network returns several things ({shown}); say by name or number which are "
                f"the logits, such as output={(fitting or meant)[-1]!r}."
            )
        return parts[meant[0]]


def _parts(result: Any) -> dict[str, Any] | None:
    """Return what a container holds, by name or number; None for anything else."""
    if isinstance(result, Tensor):
        return None
    if isinstance(result, Mapping):
        return {str(name): part for name, part in result.items()}
    if isinstance(result, tuple) and hasattr(result, "_asdict"):
        return dict(result._asdict())
    if isinstance(result, (tuple, list)):
        return {str(number): part for number, part in enumerate(result)}
    if dataclasses.is_dataclass(result):
        return {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    return {"logits": result.logits} if hasattr(result, "logits") else None


def _is_number(part: Any) -> bool:
    """Whether it is a loss or the like, and says nothing of single images."""
    return part is None or isinstance(part, (int, float, str)) or getattr(part, "ndim", 1) == 0


def _describe(part: Any) -> str:
    if isinstance(part, Tensor):
        return f"a tensor {tuple(part.shape)}"
    return f"a {type(part).__name__}"


def _log(shares: Tensor) -> Tensor:
    """Return log p of rows that sum to 1; the largest by the others, as near 1 it is rounded."""
    top = shares.argmax(dim=1, keepdim=True)
    rest = shares.scatter(1, top, 0.0).sum(dim=1, keepdim=True)
    largest = -torch.log1p(rest / shares.gather(1, top))
    return (shares + _tiny(shares)).log().scatter(1, top, largest)


def _tiny(shares: Tensor) -> float:
    """Return the smallest number, which keeps the logarithm of 0 and its gradient finite."""
    return torch.finfo(shares.dtype).tiny
