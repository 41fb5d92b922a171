"""DeepLIFT's multipliers from the CAM layer on: the trunk runs, what it gives is exchanged."""

import torch
from torch import Tensor, nn

from xaibench.core.passes.differences import find_multipliers
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.layer_names import named_layer
from xaibench.core.passes.layers import cam_layer_of
from xaibench.core.passes.opaque import refuse_opaque
from xaibench.core.passes.precision import at_least_single


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

    def derive(first: int, last: int) -> tuple[Tensor, Tensor]:
        size, rows = engine.batch_size(images, graph=True), slice(first, last)
        filled = size.fill(images[rows])
        ours, theirs = (size.fill(each[rows]).clone() for each in (activations, starts))

        def run(given: Tensor) -> Tensor:
            def put(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
                return layout.output(given.clone(), output)  # what follows may work in place

            hook = layer.register_forward_hook(put)
            try:
                with engine.casting():
                    return at_least_single(network(filled))
            finally:
                hook.remove()

        with torch.inference_mode(mode=False):
            found, change = find_multipliers(run, ours, theirs, targets[rows])
        engine.seen += 2 * (last - first)
        return found[: last - first], change[: last - first]

    parts = list(engine.batch_size(images, graph=True).over(len(images), derive))
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
