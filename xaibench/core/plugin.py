"""What a plugin is: a function, its contract, and the traits it was declared with."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from xaibench.core.aliases import first_spec
from xaibench.core.contract import LAYER, LAYER_WORDS, MEMBER, SHARED_OPTIONS, Option, Signature
from xaibench.core.spec import as_text, format_spec
from xaibench.core.supervision import Supervision

# Kinds of which every file holds one plugin.
_ALONE = ("method", "metric", "analysis")


@dataclass(frozen=True)
class MethodTraits:
    """How a raw map becomes a scored one, and to which row of the board it belongs."""

    family: str = "other"
    sign: Literal["relu", "abs", "none"] = "relu"
    rescale: Literal["minmax", "none"] = "minmax"
    blind: bool = False
    """A control that looks neither at the image nor at its mask."""
    supervision: Supervision | None = None
    """What a method learned from that was trained elsewhere; others are as their model is."""
    title: str | None = None
    """Its name on the board, where that is not the function's."""
    needs: frozenset[str] = frozenset()
    """Words that it must be served beside those that it names, as where it runs the network."""
    fit: Callable[..., Any] | None = None
    """Learns once for each trained model what the method then reads as the word ``fitted``."""


@dataclass(frozen=True)
class MetricTraits:
    """What a metric's value means."""

    higher_is_better: bool
    family: Literal["localization", "faithfulness", "complexity"] = "localization"
    bounds: tuple[float, float] = (0.0, 1.0)
    target: Literal["label", "predicted"] = "label"
    turned_by: Mapping[str, Any] = field(default_factory=dict)
    """Option values under which the direction turns round."""
    counted: Literal["filled", "empty", "any"] = "filled"
    """The masks for which it is defined; of no account for metrics that ask for none."""
    threshold: str = "none"
    ties: str = "none"
    baseline: str = "none"
    pool: Callable[[Tensor], Tensor] | None = None
    """Makes the one value of all images from the mean ``(S,)`` of their statistics ``(B, S)``."""
    ranked: bool = True
    """False for upper bounds, which saw the truth that they are judged by."""
    pixelwise: bool = False
    """Whether it is the same when map and mask are shuffled alike: no pixel's place counts."""
    title: str = ""
    """What the field calls it, for boards and pages; empty where that is its own name."""


@dataclass(frozen=True)
class DatasetTraits:
    """Run options that suit the dataset, and how to get it."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    fetch: Callable[..., Path] | None = None
    """Downloads the data below a folder; its keyword arguments are options that bring more."""
    whole: Mapping[str, Any] = field(default_factory=dict)
    """Options under which all of its samples are there, which an audit looks at."""
    kept: Callable[..., tuple[slice, slice]] | None = None
    """Rows and columns that are read of an image: of height, width and options; None for all."""


@dataclass(frozen=True)
class ModelTraits:
    """Whether a plugin stands for all networks of a library."""

    prefix: str | None = None
    """What its members' names begin with, as ``timm/resnet10t``; None for a single model."""
    members: Callable[[], Collection[str]] | None = None
    """Their names, without that; None where they can't be listed."""
    papers: Mapping[str, str] = field(default_factory=dict)
    """Their papers, by what their names begin with."""


@dataclass(frozen=True)
class AnalysisTraits:
    """What each of an analysis' numbers means, by name."""

    quantities: Mapping[str, str]
    bounds: tuple[float, float] = (0.0, 1.0)
    """Of the quantities that are means over test images."""


@dataclass(frozen=True)
class Plugin:
    """A registered function with its contract."""

    kind: str
    name: str
    function: Callable[..., Any]
    signature: Signature
    paper: str | None
    traits: Any
    wraps: str = ""
    """The installed package whose work the function hands on, by its name in the package index."""
    aliases: tuple[str, ...] = ()
    """Earlier names, the first one first: results stay stored under it."""
    member: str = ""
    """Of a library's plugin: which network is meant, without the prefix."""
    fit: Signature | None = None
    """What a method's fit asks for; None without one."""

    @property
    def asked(self) -> tuple[str, ...]:
        """All words that it and its fit ask for, and those that it needs."""
        needs = self.traits.needs if isinstance(self.traits, MethodTraits) else ()
        words = (*self.signature.words, *(self.fit.words if self.fit else ()), *sorted(needs))
        return tuple(dict.fromkeys(words))

    @property
    def options(self) -> Mapping[str, Option]:
        """What a user may set: its own options and those of its fit."""
        return {**(self.fit.options if self.fit else {}), **self.signature.options}

    @property
    def summary(self) -> str:
        """First line of the docstring; of the file's where it holds one plugin."""
        speaks = self.function.__globals__.get("__doc__") if self.kind in _ALONE else None
        return (speaks or self.function.__doc__ or "").strip().split("\n")[0]

    @property
    def title(self) -> str:
        """The name, or how the names of a family look: ``timm/NAME``."""
        prefix = getattr(self.traits, "prefix", None)
        return self.name if prefix is None or self.member else f"{prefix}NAME"

    @property
    def declared(self) -> Mapping[str, Option]:
        """All options, those of its kind, too."""
        takes_none = self.kind == "method" and not LAYER_WORDS & set(self.asked)
        return {**({} if takes_none else SHARED_OPTIONS.get(self.kind, {})), **self.options}

    @property
    def defaults(self) -> str:
        """All options with their defaults, as they are written in a spec."""
        options = self.options
        return f"[{','.join(f'{key}={as_text(options[key].default)}' for key in options)}]"

    @property
    def file(self) -> Path:
        """The file that defines the plugin."""
        return Path(self.function.__code__.co_filename)


@dataclass(frozen=True)
class Bound:
    """A plugin with its options set: what a spec on the command line stands for."""

    plugin: Plugin
    options: Mapping[str, Any]

    @property
    def spec(self) -> str:
        """Canonical text, ``name[option=value]``: it names rows, cells and folders."""
        return format_spec(self.plugin.name, self.options, self.plugin.declared)

    @property
    def first_spec(self) -> str:
        """The spec under the plugin's first name, which fingerprints keep."""
        return first_spec(self.plugin.kind, self.spec)

    @property
    def shared(self) -> Mapping[str, Any]:
        """Those of the options that all plugins of the kind have, and its function doesn't take."""
        own = self.plugin.options
        return {key: value for key, value in self.options.items() if key not in own}

    @property
    def layer(self) -> str:
        """The layer that a method reads in place of the model's CAM layer; empty without one."""
        return str(self.shared.get(LAYER, ""))

    @property
    def higher_is_better(self) -> bool:
        """A metric's direction under these options."""
        traits: MetricTraits = self.plugin.traits
        turned = any(self.options.get(key) == value for key, value in traits.turned_by.items())
        return traits.higher_is_better != turned

    @property
    def whole(self) -> "Bound":
        """A dataset with all samples that its options can give, but for those that were set."""
        return Bound(self.plugin, {**self.plugin.traits.whole, **self.options})

    def kept(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns that a dataset reads of an image."""
        if self.plugin.traits.kept is None:
            return slice(height), slice(width)
        rows, columns = self.plugin.traits.kept(height, width, **self.options)
        return rows, columns

    def __call__(self, words: object) -> Any:
        """Call the plugin with the words that it asks for, taken from an object's attributes.

        Raises:
            Exception: whatever it raises; one that would end the whole program is none of that.
        """
        return self._call(self.plugin.function, self.plugin.signature, words)

    def learn(self, words: object) -> Any:
        """Call a method's fit likewise."""
        assert self.plugin.fit is not None
        return self._call(self.plugin.traits.fit, self.plugin.fit, words)

    def _call(self, function: Callable[..., Any], signature: Signature, words: object) -> Any:
        arguments = [
            self.plugin.member if word == MEMBER else getattr(words, word)
            for word in signature.words
        ]
        own = {name: v for name, v in self.options.items() if name in signature.options}
        try:
            return function(*arguments, **own)
        except SystemExit as error:
            raise RuntimeError(f"it called sys.exit({error.code!r})") from error
