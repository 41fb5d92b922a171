"""Which layer CAMs read in families of networks: one table for each library.

Convolutional networks of other libraries need no entry, as their last map is found by itself.
"""

from collections.abc import Mapping

from torch import nn
from torchvision.models.swin_transformer import SwinTransformer, SwinTransformerBlockV2

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
    # What is before the last attention marks the background (norm1 in each block); behind it
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

_TIMM = {
    "Beit": "blocks.-1.norm1",
    # Attention by the class token alone comes behind: it reads what the last of these gives.
    "Cait": "blocks",
    "ConVit": "blocks.-1.norm1",
    "Eva": "blocks.-1.norm1",
    "PoolingVisionTransformer": "transformers.-1.blocks.-1.norm1",
    "SwinTransformer": "layers.-1.blocks.-1.norm2",
    "SwinTransformerV2": "layers.-1.blocks.-1",
    "SwinTransformerV2Cr": "stages.-1.blocks.-1",
    # Its head is a convolution, which gives a map for images that are larger.
    "VGG": "features",
    "VOLO": "network.-1",
    "VisionTransformer": "blocks.-1.norm1",
    "VisionTransformerRelPos": "blocks.-1.norm1",
    "Xcit": "blocks.-1",
}
# Versions differ in what is around the layers.
_BEFORE = ("layers.-1.layernorm_before", "encoder.layer.-1.layernorm_before")
_NORM1 = ("layers.-1.norm1", "encoder.layer.-1.norm1")
_LAYER_NORM1 = (
    "layers.-1.layer_norm1", "encoder.layers.-1.layer_norm1",
    "vision_model.encoder.layers.-1.layer_norm1",
)  # fmt: skip
_TRANSFORMERS = {
    "BeitModel": _BEFORE,
    "CLIPVisionModel": _LAYER_NORM1,
    "Data2VecVisionModel": _BEFORE,
    "DeiTModel": _BEFORE,
    "Dinov2Model": _NORM1,
    "Dinov2WithRegistersModel": _NORM1,
    "DonutSwinModel": ("encoder.layers.-1.blocks.-1.layernorm_after",),
    "IJepaModel": _BEFORE,
    "MetaClip2VisionModel": _LAYER_NORM1,
    "SiglipVisionModel": _LAYER_NORM1,
    "SwinModel": ("encoder.layers.-1.blocks.-1.layernorm_after",),
    "ViTModel": _BEFORE,
    "ViTMSNModel": _BEFORE,
}
_LIBRARIES: dict[str, Mapping[str, str | tuple[str, ...]]] = {
    "torchvision.models.": TABLE, "timm.models.": _TIMM, "transformers.models.": _TRANSFORMERS,
    "xaibench.core.networks.small": {"GapCnn": "features"},
}  # fmt: skip
# Their norms are behind attention, which reads what the block before gives.
_NORM_BEHIND = ("ResPostBlock", "EvaBlockPostNorm")


def known_layers(network: nn.Module) -> dict[str, str]:
    """Return the known networks inside a network and the CAM layer of each, by their names.

    A network that is known itself has the name "", and none inside counts.
    """
    found: dict[str, str] = {}
    for name, part in network.named_modules():
        if not any(f"{name}.".startswith(f"{outer}." if outer else "") for outer in found):
            layer = known_layer(part)
            found |= {name: layer} if layer else {}
    return found


def known_layer(network: nn.Module) -> str | None:
    """Return the CAM layer's name of a network of a known family, None for others.

    What somebody has derived from such a network is another.
    """
    second = "V2" if _is_second_swin(network) else ""
    for library, table in _LIBRARIES.items():
        if type(network).__module__.startswith(library):
            for kind in type(network).__mro__:
                if found := table.get(kind.__name__ + second):
                    patterns = (found,) if isinstance(found, str) else found
                    return next(filter(None, (_resolve(network, p) for p in patterns)), None)
    return None


def _is_second_swin(network: nn.Module) -> bool:
    """Whether a network is Swin v2 of torchvision, which has one class for both."""
    return isinstance(network, SwinTransformer) and any(
        isinstance(part, SwinTransformerBlockV2) for part in network.modules()
    )


def _resolve(network: nn.Module, pattern: str) -> str | None:
    """Return the name that a pattern stands for, None where somebody has rebuilt the network."""
    part, names, before = network, list[str](), ""
    for step in pattern.split("."):
        if type(part).__name__ in _NORM_BEHIND:
            return ".".join([*names[:-1], before])
        children = [child for child, _ in part.named_children()]
        name = children[-1] if step == "-1" and children else step
        if name not in children:
            return None
        before = children[max(children.index(name) - 1, 0)]
        part = part.get_submodule(name)
        names.append(name)
    return ".".join(names)
