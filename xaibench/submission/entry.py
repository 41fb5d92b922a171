"""A submission: which map of a file explains what, and how it becomes a scored one."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NoReturn, get_args, get_type_hints

import torch
from torch import Tensor

from xaibench.core.contract import Signature
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import finish
from xaibench.core.plugin import Bound, MethodTraits, Plugin
from xaibench.core.registry import plugins
from xaibench.core.suggest import did_you_mean
from xaibench.submission.file import MapsFile

KINDS = ("label", "predicted")
_NAME = re.compile(r"\w[\w.+ -]{0,79}")


@dataclass(frozen=True)
class MapsAbout:
    """What the makers of maps say of them, in the file or on the command line."""

    method: str
    sign: Literal["relu", "abs", "none"] = "relu"
    rescale: Literal["minmax", "none"] = "minmax"
    target: Literal["label", "predicted", "both"] = "label"
    mask_fraction: float | None = None
    protocol: str = ""
    declared: frozenset[str] = field(default=frozenset())


def read_about(file: MapsFile, given: Mapping[str, Any]) -> MapsAbout:
    """Complete what the file says by what was given, which counts more.

    Raises:
        XaibenchError: something unknown is said, or a value that doesn't suit.
    """
    known = [each.name for each in fields(MapsAbout) if each.name != "declared"]
    for name in file.about:
        if name not in known:
            raise XaibenchError(
                f"{file.path}: about says '{name}'{did_you_mean(name, known)}; it "
                f"may say {', '.join(known)}."
            )
    said = {**file.about, **{name: value for name, value in given.items() if value is not None}}
    about = MapsAbout(**{"method": file.path.stem, **said, "declared": frozenset(said)})
    for name, kind in get_type_hints(MapsAbout).items():
        value, choices = getattr(about, name), get_args(kind)
        if name in ("sign", "rescale", "target") and value not in choices:
            raise XaibenchError(
                f"{file.path}: {name} {value!r}; choose one of {', '.join(choices)}."
            )
    share = about.mask_fraction
    if share is not None and not (type(share) in (int, float) and 0 <= share <= 1):
        by_file = given.get("mask_fraction") is None
        where = f"{file.path}: mask_fraction" if by_file else "--learned"
        raise XaibenchError(f"{where} {share!r}; a share between 0 and 1.")
    if not isinstance(about.protocol, str):
        raise XaibenchError(f"{file.path}: protocol {about.protocol!r}; give the hash as text.")
    _check_name(file, about.method)
    return about


def _check_name(file: MapsFile, name: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise XaibenchError(
            f"{file.path}: the method's name {name!r}; use letters, digits, '.', '+', '-' and "
            "spaces (--name)."
        )
    if name in plugins("method"):
        raise XaibenchError(
            f"{file.path}: '{name}' is a method of xaibench itself; call yours otherwise, such as "
            f"--name {name}-mine."
        )


def as_method(about: MapsAbout) -> Bound:
    """Return the row of the board that a submission fills; it can explain nothing by itself."""

    def submitted() -> Tensor:
        raise XaibenchError(f"{about.method} is a file of maps and explains no other image.")

    # Whoever has seen masks is among the learned methods.
    traits = MethodTraits("learned" if about.mask_fraction else "other", about.sign, about.rescale)
    return Bound(Plugin("method", about.method, submitted, Signature((), {}), None, traits), {})


class Submission:
    """Maps by sample and by the class that they explain."""

    def __init__(self, file: MapsFile, about: MapsAbout, samples: Collection[str]) -> None:
        """Find each key's sample.

        Args:
            file: keys are ids, or ``label/<id>`` and ``predicted/<id>``, as in a cell's maps.npz.
            about: whether a bare id's map explains the label, the prediction or both alike.
            samples: all ids of the dataset.

        Raises:
            XaibenchError: a key names no sample, or a sample has two maps of one class.
        """
        self.file, self.about = file, about
        self._keys: dict[tuple[str, str], str] = {}
        strangers = [key for key in file.shapes if self._parse(key, samples) is None]
        if strangers:
            self._refuse(strangers, samples)
        for key in file.shapes:
            kinds, sample = self._parse(key, samples) or ((), "")
            for kind in kinds:
                other = self._keys.setdefault((kind, sample), key)
                if other != key:
                    raise XaibenchError(
                        f"{file.path}: '{other}' and '{key}' both explain the {kind} class of "
                        f"'{sample}'; keep one."
                    )

    def _parse(self, key: str, samples: Collection[str]) -> tuple[tuple[str, ...], str] | None:
        """Return which classes of which sample a key's map explains."""
        kind, _, rest = key.partition("/")
        if key in samples:
            return KINDS if self.about.target == "both" else (self.about.target,), key
        return ((kind,), rest) if kind in KINDS and rest in samples else None

    def _refuse(self, strangers: Sequence[str], samples: Collection[str]) -> NoReturn:
        first = strangers[0]
        kind, _, rest = first.partition("/")
        others = f" (and {len(strangers) - 1} more keys)" if len(strangers) > 1 else ""
        raise XaibenchError(
            f"{self.file.path}: '{first}'{others} is no sample of the dataset"
            f"{did_you_mean(rest if kind in KINDS else first, samples)}; keys are sample ids, as "
            "in splits/*.csv."
        )

    @property
    def kinds(self) -> frozenset[str]:
        """The classes explained, ``label`` and ``predicted``."""
        return frozenset(kind for kind, _ in self._keys)

    @property
    def samples(self) -> frozenset[str]:
        """All samples that have a map."""
        return frozenset(sample for _, sample in self._keys)

    def key(self, kind: str, sample: str, *, same: bool) -> str | None:
        """Return the key of the map that explains a sample's class; None where there is none.

        Args:
            kind: ``label`` or ``predicted``.
            sample: its id.
            same: prediction and label agree, so that one map serves both.
        """
        found = self._keys.get((kind, sample))
        if found is None and same:
            return next((self._keys[k, sample] for k in KINDS if (k, sample) in self._keys), None)
        return found

    def finished(self, key: str, size: tuple[int, int]) -> tuple[Tensor, str]:
        """Return a scored map ``(H, W)`` and its status, made as any method's are."""
        raw = torch.from_numpy(self.file.read(key))[None]
        maps, statuses = finish(raw, size, sign=self.about.sign, rescale=self.about.rescale)
        return maps[0], statuses[0]
