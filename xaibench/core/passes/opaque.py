"""Parts of a network that torch runs as one piece."""

from torch import jit, nn

from xaibench.core.errors import Unsupported
from xaibench.core.passes.layer_names import short_name


def refuse_opaque(network: nn.Module) -> None:
    """Refuse a network of which torch runs a part as one piece.

    Raises:
        Unsupported: a part is a script, or computes in integers.
    """
    for name, part in network.named_modules():
        script = isinstance(part, jit.ScriptModule)
        if script or ".quantized" in type(part).__module__:
            where = f"the network's '{short_name(name)}'"
            raise Unsupported(
                "this method must see each of the network's operations, and "
                f"{'the network' if name in {'', 'network'} else where} is "
                f"{'a TorchScript' if script else 'quantized'}; pass the network from which it was "
                "made."
            )
