"""DeepLIFT's multipliers from the CAM layer on: the trunk runs, what it gives is exchanged."""

from torch import Tensor, nn

from xaibench.core.passes.engine import Engine
from xaibench.core.passes.layer_names import named_layer
from xaibench.core.passes.layers import cam_layer_of
from xaibench.core.passes.opaque import refuse_opaque


def find_layer_multipliers(
    engine: Engine, images: Tensor, activations: Tensor, starts: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Return multipliers ``(B, D, h, w)`` of the targets' logits, and how these change, ``(B,)``.

    Args:
        engine: the model's.
        images: ``(B, C, H, W)``.
        activations: of the CAM layer, ``(B, D, h, w)``.
        starts: what they are compared with, likewise.
        targets: ``(B,)``.

    Raises:
        XaibenchError: an operation behind the layer has no rule.
    """
    network = engine.fast(images)
    refuse_opaque(network)
    layer = named_layer(network, network.cam_layer or "")
    layout = cam_layer_of(engine.model, images).layout

    def run(filled: Tensor, given: Tensor) -> Tensor:
        def put(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            return layout.output(given.clone(), output)  # what follows may work in place

        hook = layer.register_forward_hook(put)
        try:
            logits: Tensor = network(filled)
            return logits
        finally:
            hook.remove()

    return engine.compare(images, (activations, starts), targets, run)
