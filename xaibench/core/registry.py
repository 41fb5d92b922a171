"""Plugins: how they are declared, found and looked up.

One is a function in a file below ``xaibench/methods/``, of ``--plugin``, or of an entry point.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from torch import Tensor

from xaibench.core.aliases import current_name, note_aliases, tell_alias
from xaibench.core.contract import KINDS, plural, read_signature
from xaibench.core.declared import check_method
from xaibench.core.discovery import discover, import_file
from xaibench.core.errors import XaibenchError
from xaibench.core.families import find_member, is_family, list_members
from xaibench.core.files import is_file
from xaibench.core.plugin import (
    AnalysisTraits,
    Bound,
    DatasetTraits,
    MethodTraits,
    MetricTraits,
    ModelTraits,
    Plugin,
)
from xaibench.core.spec import coerce_options, parse_spec
from xaibench.core.suggest import did_you_mean
from xaibench.core.supervision import declare

Function = TypeVar("Function", bound=Callable[..., Any])
_plugins: dict[str, dict[str, Plugin]] = {kind: {} for kind in KINDS}
_loaded_files: set[Path] = set()


def method(
    *,
    paper: str | None = None,
    family: str = "other",
    sign: Literal["relu", "abs", "none"] = "relu",
    rescale: Literal["minmax", "none"] = "minmax",
    blind: bool = False,
    wraps: str = "",
    supervision: str | None = None,
    share: float = 1.0,
    title: str | None = None,
    needs: Collection[str] = (),
    fit: Callable[..., Any] | None = None,
    aliases: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Declare a saliency method: a function that returns raw maps ``(B, h, w)``.

    Args:
        paper: key in ``references.bib``.
        family: one of `METHOD_FAMILIES`, or a name of your own, which the board shows.
        sign: what becomes of negative relevance.
        rescale: ``minmax`` for attributions, ``none`` for maps that are probabilities already.
        blind: the method looks neither at the image nor at its mask.
        wraps: the package that makes the maps; another version makes them again.
        supervision: what it learned from elsewhere: ``none``, ``labels``, ``boxes`` or ``masks``.
        share: of its training images' boxes or masks, in (0, 1].
        title: its name on the board, where the function's won't do.
        needs: of `NEEDS`, what a model must serve beside its words.
        fit: learns once for each trained model, and returns tensors by name: the word ``fitted``.
        aliases: earlier names, the first one first.
    """
    learned = declare("method", supervision, share)
    traits = MethodTraits(family, sign, rescale, blind, learned, title, frozenset(needs), fit)
    return _declare("method", paper, traits, wraps, aliases)


def metric(
    *,
    higher_is_better: bool,
    paper: str | None = None,
    family: Literal["localization", "faithfulness", "complexity"] = "localization",
    bounds: tuple[float, float] = (0.0, 1.0),
    target: Literal["label", "predicted"] = "label",
    turned_by: Mapping[str, Any] | None = None,
    counted: Literal["filled", "empty", "any"] = "filled",
    threshold: str = "none",
    ties: str = "none",
    baseline: str = "none",
    pool: Callable[[Tensor], Tensor] | None = None,
    ranked: bool = True,
    pixelwise: bool = False,
    title: str = "",
    aliases: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Declare a metric: a function that returns one value for each map, ``(B,)``; NaN: undefined.

    With ``pool``: statistics ``(B, S)``, a row of NaN where undefined, for one value of all images.

    Args:
        higher_is_better: direction of the arrow on the board.
        paper: key in ``references.bib``.
        family: the board it belongs to.
        bounds: smallest and largest value possible.
        target: explain the true class (localization) or the predicted one (faithfulness).
        turned_by: option values under which the direction turns round.
        counted: whether it is defined for images whose mask is ``filled``, ``empty``, or any.
        threshold: in words, where the threshold comes from.
        ties: in words, what becomes of equal values.
        baseline: in words, what is in the place of what is covered or removed.
        pool: differentiable, statistics' mean ``(S,)`` -> value; makes it a pooled estimand.
        ranked: False where it chose something by the truth that it is judged by.
        pixelwise: it is the same when map and mask are shuffled alike.
        title: what the field calls it, where that is another name; ``pointing_game`` asks for it.
        aliases: earlier names, the first one first; scores stored under them stay valid.
    """
    traits = MetricTraits(
        higher_is_better, family, bounds, target, turned_by or {}, counted, threshold, ties,
        baseline, pool, ranked, pixelwise, title,
    )  # fmt: skip
    return _declare("metric", paper, traits, aliases=aliases)


def dataset(
    *,
    paper: str | None = None,
    recipe: Mapping[str, Any] | None = None,
    fetch: Callable[..., Path] | None = None,
    whole: Mapping[str, Any] | None = None,
    kept: Callable[..., tuple[slice, slice]] | None = None,
    aliases: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Declare a dataset: a function that returns a `Dataset`.

    Args:
        paper: key in ``references.bib``.
        recipe: run options that suit this dataset where the user gives none.
        fetch: downloads the data below a folder and returns where it lies; its keyword arguments
            are options that bring more.
        whole: options under which all samples are there, for ``xaibench audit``.
        kept: rows and columns that are read of an image, of its height, its width and the options,
            where that isn't all: ``xaibench explain`` reads no others of new pictures.
        aliases: earlier names, the first one first.
    """
    traits = DatasetTraits(recipe or {}, fetch, whole or {}, kept)
    return _declare("dataset", paper, traits, "", aliases)


def model(
    *,
    paper: str | None = None,
    wraps: str = "",
    aliases: Sequence[str] = (),
    library: ModelTraits | None = None,
) -> Callable[[Function], Function]:
    """Declare a model: a function that returns an untrained `Model`, of the package ``wraps``.

    One that builds any network of a ``library`` asks for the word ``member``: which one is meant.
    """
    return _declare("model", paper, library or ModelTraits(), wraps, aliases)


def analysis(
    *,
    paper: str | None = None,
    quantities: Mapping[str, str],
    bounds: tuple[float, float] = (0.0, 1.0),
    aliases: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Declare an analysis: a function that returns `Findings`.

    Args:
        paper: key in ``references.bib``.
        quantities: what its numbers mean, by name; ``iou`` covers ``iou[lesion]``, too.
        bounds: smallest and largest value possible of those that are means over test images.
        aliases: earlier names, the first one first.
    """
    return _declare("analysis", paper, AnalysisTraits(quantities, bounds), aliases=aliases)


def _declare(
    kind: str, paper: str | None, traits: Any, wraps: str = "", aliases: Sequence[str] = ()
) -> Callable[[Function], Function]:
    # The function itself is returned: wrapped in an object, its doctest would silently never run.
    def register(function: Function) -> Function:
        signature = read_signature(kind, function)
        about = kind, function.__name__, function, signature, paper, traits, wraps, tuple(aliases)
        plugin = Plugin(*about, fit=check_method(signature, traits))
        note_aliases(_plugins[kind], plugin)
        _plugins[kind][plugin.name] = plugin
        return function

    return register


def plugins(kind: str, *, families: bool = False) -> Mapping[str, Plugin]:
    """Return all plugins of a kind by name, sorted; those that stand for a library are apart."""
    discover(kind)
    return {name: one for name, one in sorted(_plugins[kind].items()) if is_family(one) == families}


def find_plugin(kind: str, name: str) -> Plugin | None:
    """Return the plugin of that name, or the library's that it belongs to, made for it."""
    return plugins(kind).get(name) or find_member(plugins(kind, families=True).values(), name)


def bind(kind: str, spec: str) -> Bound:
    """Look up ``name[option=value]``.

    Raises:
        XaibenchError: no such plugin or option, or a value that doesn't suit its option.
    """
    asked, given = parse_spec(spec)
    name = current_name(plugins(kind), asked)
    if name != asked:
        tell_alias(kind, asked, name)
    plugin = find_plugin(kind, name)
    if plugin is None:
        known = [*plugins(kind), *list_members(plugins(kind, families=True).values(), name)]
        raise XaibenchError(
            f"there is no {kind} '{name}'{did_you_mean(name, known)}; "
            f"`xaibench list {plural(kind)}` shows all."
        )
    return Bound(plugin, coerce_options(name, given, plugin.declared))


def load_plugin_file(path: Path) -> None:
    """Import a user's plugin file; its decorators register what it holds.

    Raises:
        XaibenchError: the file is missing, fails to import, or registers nothing.
    """
    if not is_file(path):
        raise XaibenchError(f"--plugin {path}: no such file; give the path of a Python file.")
    if is_loaded(path):
        return
    for kind in KINDS:
        discover(kind)  # first, so that a file that takes one of their names is at fault
    before = {kind: dict(known) for kind, known in _plugins.items()}
    try:
        import_file(path)
    except BaseException:
        _plugins.update(before)
        raise
    if before == _plugins:
        raise XaibenchError(
            f"--plugin {path}: it declares nothing; decorate a function with @xaibench.method, "
            "@xaibench.metric, @xaibench.dataset, @xaibench.model or @xaibench.analysis."
        )
    _loaded_files.add(path.resolve())


def is_loaded(path: Path) -> bool:
    """Whether the plugins of a file were loaded by its path."""
    return path.resolve() in _loaded_files
