"""Checkpoints as training writes them, whatever it wraps around a state dict."""

import json
import warnings
import zipfile
from argparse import Namespace
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.serialization import safe_globals

from xaibench.core.errors import XaibenchError
from xaibench.core.files import check_plain_file, is_file

# Around a state dict: Lightning's and others' keys.
_CONTAINERS = ("state_dict", "model_state_dict", "model")
# In front of names: of DDP and averaged weights, of Lightning modules, of this package.
_WRAPPERS = ("module.", "model.", "network.", "net.")
_COMPILED = "_orig_mod."
_NAMES = ("class_names", "classes", "class_to_idx")
# Beside tensors: the arguments of a training script, as timm's leaves them. It runs nothing.
_HARMLESS: list[Any] = [Namespace]
_REMEDY = "save it with torch.save(model.state_dict(), FILE)"


class Checkpoint(NamedTuple):
    """What a file holds: tensors by name, and the classes' names in their order, if it tells."""

    state: dict[str, Tensor]
    class_names: tuple[str, ...]


def read_checkpoint(path: Path, name: str) -> Checkpoint:
    """Read a state dict: of ``torch.save``, alone or in a checkpoint, or of safetensors.

    Args:
        path: the file.
        name: what messages call it, as ``--weights FILE``.

    Raises:
        XaibenchError: it isn't there, is a program, or holds no state dict.
    """
    if not is_file(path):
        raise XaibenchError(f"{name}: no such file.")
    if path.suffix == ".safetensors":
        return _read_safetensors(path, name)
    if _is_script(path):
        raise XaibenchError(
            f"{name}: a TorchScript, which is a program and not weights; save its weights with "
            "torch.save(torch.jit.load(FILE).state_dict(), NEW_FILE), and give that file."
        )
    whole = load_tensors(path, name, _REMEDY)
    state = whole
    if isinstance(whole, dict):
        inner = [whole[key] for key in _CONTAINERS if isinstance(whole.get(key), dict)]
        state = inner[0] if inner else whole
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise XaibenchError(f"{name}: it holds no state dict (a dictionary of tensors); {_REMEDY}.")
    return Checkpoint({str(key): value for key, value in state.items()}, _class_names(whole))


def named_as(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Return a state dict under a network's own names, without what training put before them.

    Of a wrapped network what isn't wrapped belongs to the training, as a loss's weights, and is
    left out.
    """
    bare = {key: _bare(key, own) for key in state}
    wrapped = {key.split(".")[0] for key, name in bare.items() if name != key}
    return {
        bare[key]: value
        for key, value in state.items()
        if not wrapped or bare[key] in own or key.split(".")[0] in wrapped
    }


def load_tensors(path: Path, name: str, remedy: str) -> Any:
    """Return what a file of ``torch.save`` holds: tensors, numbers, texts and a script's arguments.

    Args:
        path: the file.
        name: what messages call it.
        remedy: what to do where it can't be used.

    Raises:
        XaibenchError: it is damaged, or holds what may be code; nothing of that is run.
    """
    try:
        # Torch's warnings guess at what the error says as well.
        with warnings.catch_warnings(action="ignore"), safe_globals(_HARMLESS):
            check_plain_file(path)
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        # Torch's own words advise to load it none the less.
        raise XaibenchError(
            f"{name}: refused, it is no file of torch.save, or holds objects beside tensors, which "
            f"may be code; {remedy}."
        ) from error
    except Exception as error:  # damaged files raise whatever they like
        raise XaibenchError(
            f"{name}: not a whole file of torch.save ({type(error).__name__}); {remedy}."
        ) from error


def _read_safetensors(path: Path, name: str) -> Checkpoint:
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return Checkpoint(state, _class_names(file.metadata() or {}))
    except (SafetensorError, OSError) as error:
        raise XaibenchError(f"{name}: not a whole file of safetensors ({error}).") from error


def _is_script(path: Path) -> bool:
    """Whether a file is a program of ``torch.jit.save``, by what lies in the archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in each for each in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _class_names(holder: Any) -> tuple[str, ...]:
    """Return the classes' names that a checkpoint, or the arguments in it, tell in their order."""
    for told in _places(holder):
        for key in _NAMES:
            value = told.get(key)
            if isinstance(value, str):  # as safetensors keep it
                try:
                    value = json.loads(value)
                except ValueError:
                    value = value.split(",") if "," in value else ()
            if isinstance(value, dict) and value:
                value = sorted(value, key=value.__getitem__)
            if isinstance(value, list | tuple) and value and all(map(_is_text, value)):
                return tuple(value)
    return ()


def _places(holder: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(holder, dict):
        yield holder
        for key in ("hyper_parameters", "args", "config"):
            inner = holder.get(key)
            if isinstance(inner, Namespace):
                yield vars(inner)
            if isinstance(inner, dict):
                yield inner


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _bare(key: str, own: Collection[str]) -> str:
    name = key.replace(_COMPILED, "")
    while name not in own:
        wrapper = next((each for each in _WRAPPERS if name.startswith(each)), None)
        if wrapper is None:
            return key
        name = name.removeprefix(wrapper)
    return name
