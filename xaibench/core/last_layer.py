"""The layer that a network's logits come from."""

from torch import nn

from xaibench.core.errors import XaibenchError


def last_layer(network: nn.Module) -> nn.Module:
    """Return the last linear layer or convolution, from which the logits come.

    Raises:
        XaibenchError: there is none.
    """
    layers = [part for part in network.modules() if isinstance(part, (nn.Linear, nn.Conv2d))]
    if not layers:
        raise XaibenchError("the network has neither a linear layer nor a convolution.")
    return layers[-1]
