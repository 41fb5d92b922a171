"""Which layer CAMs read in torchvision's classification networks: one table."""

from torch import nn
from torchvision.models.swin_transformer import SwinTransformerBlockV2

# By the network's class; -1 is a part's last child.
TABLE = {
    "AlexNet": "features",
    "ConvNeXt": "features",
    "DenseNet": "features",
    "EfficientNet": "features",
    "GoogLeNet": "inception5b",
    "Inception3": "Mixed_7c",
    "MNASNet": "layers",
    "MaxVit": "blocks.-1",
    "MobileNetV2": "features",
    "MobileNetV3": "features",
    "RegNet": "trunk_output",
    "ResNet": "layer4",
    "ShuffleNetV2": "conv5",
    "SqueezeNet": "features",
    # What stands before the last attention marks the background (norm1 in each block); behind it
    # every position still has a gradient of its own, as the logits pool over all.
    "SwinTransformer": "features.-1.-1.norm2",
    # Swin v2 has its norms behind attention and MLP, so that norm2 sees one branch alone.
    "SwinTransformerV2": "features.-1.-1",
    "VGG": "features",
    # Only the class token is read at the end: the last layer at which positions count is the norm
    # before the last attention.
    "VisionTransformer": "encoder.layers.-1.ln_1",
}
# A sequence of children up to the CAM layer: these can be cut into a trunk and a head.
SEQUENTIAL = tuple(name for name, pattern in TABLE.items() if "." not in pattern)


def known_layer(network: nn.Module) -> str | None:
    """Return the CAM layer's name of a network of torchvision, None for others."""
    kind = type(network)
    if not kind.__module__.startswith("torchvision.models."):
        return None
    # Both versions of Swin are of one class.
    second = any(isinstance(part, SwinTransformerBlockV2) for part in network.modules())
    pattern = TABLE.get(kind.__name__ + ("V2" if second else ""))
    part, names = network, []
    for step in pattern.split(".") if pattern else ():
        children = dict(part.named_children())
        name = list(children)[-1] if step == "-1" and children else step
        if name not in children:  # somebody has rebuilt it
            return None
        part = children[name]
        names.append(name)
    return ".".join(names) or None
