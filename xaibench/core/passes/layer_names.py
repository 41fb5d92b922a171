"""Layers by their names."""

from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean

# What is between a model and the network that users know: their names need not tell it.
_WRAPPERS = ("", "network.", "trunk.")
_COMPILED = "_orig_mod."  # torch.compile keeps a part under this name


def full_name(network: nn.Module, name: str) -> str:
    """Return a layer's name as the network knows it: users may leave out that of its wrapper.

    Raises:
        XaibenchError: there is no such layer.
    """
    known = {each.replace(_COMPILED, ""): each for each in reversed(_names(network))}
    for wrapper in _WRAPPERS:
        if (key := (wrapper + name).replace(_COMPILED, "")) in known:
            return known[key]
    raise _no_layer(name, _names(network))


def short_name(name: str) -> str:
    """Return a layer's name without those of the wrappers around the user's network."""
    return name.removeprefix("network.").replace(_COMPILED, "")


def named_layer(network: nn.Module, name: str) -> nn.Module:
    """Return the submodule of that name.

    Raises:
        XaibenchError: there is none.
    """
    try:
        return network.get_submodule(name)
    except AttributeError:
        raise _no_layer(name, _names(network)) from None


def _no_layer(name: str, names: list[str]) -> XaibenchError:
    missing, known = short_name(name), [short_name(key) for key in names]
    return XaibenchError(
        f"the network has no layer '{missing}'{did_you_mean(missing, known)}; its last layers are "
        f"{', '.join(known[-5:])}."
    )


def _names(network: nn.Module) -> list[str]:
    return [name for name, _ in network.named_modules(remove_duplicate=False) if name]
