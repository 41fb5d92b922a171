"""Running other libraries' methods: arguments as text, seeds, errors, and no trace left behind."""

import ast
import importlib
import inspect
import io
import random
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, evaluating
from xaibench.core.passes.batching import let_through
from xaibench.core.passes.float32 import exact_float32
from xaibench.core.passes.layer_names import named_layer
from xaibench.core.passes.layers import cam_layer_of, find_cam_layer
from xaibench.core.suggest import did_you_mean

_EXTRA = frozenset({"saliency", "torchcam", "zennit"})  # of pyproject's `libraries`
_PROBE = "probe_of_a_peer"
# What a module keeps its hooks, parameters, buffers and submodules in.
_TABLES = [key for key, value in vars(nn.Module()).items() if isinstance(value, dict)]


class Probe(nn.Identity):
    """Lets activations ``(B, D, h, w)`` through: the layer that a library is shown."""


def import_peer(name: str) -> Any:
    """Import another library.

    Raises:
        XaibenchError: it can't be imported.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        anew = (
            "pip install 'xaibench[libraries]'" if library in _EXTRA else "install it anew with pip"
        )
        raise XaibenchError(f"{library} can't be imported ({error}); {anew}.") from error


def choose_class(owner: str, classes: dict[str, Any], name: str) -> Any:
    """Return the class of that name.

    Raises:
        XaibenchError: there is none.
    """
    if name not in classes:
        raise XaibenchError(
            f"{owner}: there is no class '{name}'{did_you_mean(name, classes)}; choose one of "
            f"{', '.join(sorted(classes))}."
        )
    return classes[name]


def parameters_of(function: Callable[..., Any], *, required: bool = False) -> set[str]:
    """Return the names of a function's or class's parameters, or of those without a default."""
    found = inspect.signature(function).parameters.values()
    named = [each for each in found if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    return {each.name for each in named if not required or each.default is each.empty}


def parse_arguments(owner: str, texts: Sequence[str], known: Collection[str]) -> dict[str, Any]:
    """Read ``name:value`` pairs; values are Python literals, lists become tuples, else text.

    >>> parse_arguments("it", ["n_steps:20", "method:riemann_trapezoid", "shape:[3, 8]"],
    ...                 ["n_steps", "method", "shape"])
    {'n_steps': 20, 'method': 'riemann_trapezoid', 'shape': (3, 8)}

    Raises:
        XaibenchError: a name is unknown or comes twice, or there is no value.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon or name in found:
            raise XaibenchError(f"{owner}: '{text}' is no name:value, or it is given twice.")
        if name not in known:
            raise XaibenchError(
                f"{owner} takes no argument '{name}'{did_you_mean(name, known)}; it takes "
                f"{', '.join(sorted(known)) or 'none'}."
            )
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
        if isinstance(found[name], list):  # round brackets don't protect commas in a spec
            found[name] = tuple(found[name])
    return found


@contextmanager
def untouched(network: nn.Module, *, frozen: bool = True) -> Iterator[None]:
    """Lend a network to code that changes it; it comes back as it was, even after an error.

    Inside it is in evaluation mode, all parameters are frozen (or none), and no module works in
    place. Afterwards modes, hooks, submodules, other attributes, gradients and weights are what
    they were; only weights that were written in place would not be.
    """
    parts = [
        (part, dict(vars(part)), {k: dict(v) for k, v in vars(part).items() if k in _TABLES})
        for part in network.modules()
    ]
    with torch.inference_mode(mode=False):  # views made in it couldn't be put back
        weights = [(w, w.data, w.grad, w.requires_grad) for w in network.parameters()]
    try:
        with torch.inference_mode(mode=False), evaluating(network):
            for part, attributes, _ in parts:
                if attributes.get("inplace"):
                    vars(part)["inplace"] = False
            for parameter, *_ in weights:
                parameter.requires_grad_(not frozen and parameter.is_floating_point())
            yield
    finally:
        for part, attributes, tables in parts:
            vars(part).clear()
            vars(part).update(attributes)
            for key, table in tables.items():
                vars(part)[key].clear()
                vars(part)[key].update(table)
        for parameter, data, gradient, learns in weights:
            parameter.data, parameter.grad = data, gradient
            parameter.requires_grad_(learns)


def insert_probe(network: Model, images: Tensor) -> Probe:
    """Lead the CAM layer's output through a module that sees it as ``(B, D, h, w)``.

    Libraries hook this module, or put another in its place, and needn't know of class tokens or of
    channels that are last. What follows gets a copy, so that functions working in place don't
    reach what was recorded. Call it within `untouched`, which takes it out again.

    Raises:
        XaibenchError: the model names no CAM layer and none is found, or no CAM can read it.
    """
    network.cam_layer = network.cam_layer or find_cam_layer(network, images[:1])
    layout = cam_layer_of(network, images).layout
    layer = named_layer(network, network.cam_layer)

    def lead_through(_part: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        activations = layout.activations(output)
        activations = activations.clone(memory_format=torch.contiguous_format)
        if torch.is_grad_enabled():
            activations.requires_grad_()  # with frozen weights nothing else may ask for gradients
        # By its name, as it may be exchanged; times one, for a copy of values and gradients alike.
        changed: Tensor = getattr(network, _PROBE)(activations) * 1
        return layout.output(changed, output)

    probe = Probe()
    network.add_module(_PROBE, probe)
    layer.register_forward_hook(lead_through)
    return probe


@contextmanager
def running(owner: str, seed: int, device: torch.device) -> Iterator[None]:
    """Run a library's code: seeded, with gradients, in silence.

    All global random states are afterwards what they were.

    Raises:
        XaibenchError: in place of whatever the library raises, unless memory ran out.
    """
    numbers, words = np.random.get_state(), random.getstate()
    devices = [device] if device.type == "cuda" else []
    sink = io.StringIO()
    try:
        with (
            exact_float32(),
            torch.inference_mode(mode=False),
            torch.enable_grad(),
            torch.random.fork_rng(devices),
            redirect_stdout(sink),
            redirect_stderr(sink),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            torch.default_generator.manual_seed(seed)
            for each in devices:
                with torch.cuda.device(each):
                    torch.cuda.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            yield
    except XaibenchError:
        raise
    except Exception as error:  # a library may raise anything
        let_through(error)
        said = str(error) or str(traceback.extract_tb(error.__traceback__)[-1].line)
        said = " ".join(said.split()).rstrip(".")
        raise XaibenchError(f"{owner} failed ({type(error).__name__}: {said}).") from error
    finally:
        np.random.set_state(numbers)
        random.setstate(words)
