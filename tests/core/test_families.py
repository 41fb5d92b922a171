"""Grad-CAM at the layer that is found, against one by hand at the layer that is meant.

Of a convolutional network it is what `forward_features` gives, of a transformer it is in this
table. The weights are random.
"""

import pytest
import torch
import torchvision
from small_nets import noise
from torch import nn
from torch.nn import functional
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.layers import find_cam_layer

timm = pytest.importorskip("timm")

CLASSES = 5
VIT = {"embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": CLASSES}


def finish(raw, size):
    """Return maps in [0, 1]: ReLU, bilinear, from the least to the greatest value."""
    maps = functional.interpolate(raw.relu()[:, None], size, mode="bilinear")[:, 0]
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return torch.where(high > low, (maps - low) / (high - low).clamp(min=1e-30), 0 * maps)


def by_hand(network, layer, images, form):
    """Return the first class with a map at a layer (or at ``forward_features``), and the map."""
    if layer:
        kept = []

        def keep(_, __, output):
            kept.append(output.clone())
            kept[-1].retain_grad()
            return kept[-1]

        hook = network.get_submodule(layer).register_forward_hook(keep)
        logits = network(images.clone().requires_grad_())
        hook.remove()
        found = kept[-1]
    else:
        found = network.forward_features(images.clone().requires_grad_())
        logits = network.forward_head(found)
    logits = getattr(logits, "logits", logits)
    activations = form(found.detach())
    for target in range(CLASSES):
        (gradient,) = torch.autograd.grad(logits[0, target], found, retain_graph=True)
        weights = form(gradient).mean(dim=(2, 3), keepdim=True)
        maps = finish((weights * activations).sum(dim=1), tuple(images.shape[2:]))
        if maps.any():
            return target, maps.detach()
    pytest.fail("no class has a map")


def lively(network):
    """Let each part of a fresh network count: some start with zeros or nearly so."""
    for weight in network.parameters():
        if weight.ndim == 1 and not weight.any():
            nn.init.normal_(weight, std=0.1)
        elif weight.ndim == 1 and weight.abs().max() < 0.01:
            nn.init.constant_(weight, 0.5)
        elif weight.ndim == 2 and len(weight) == CLASSES:
            nn.init.normal_(weight, std=0.2)
    return network.eval()


def first(output):
    return output


def last(output):
    return output.permute(0, 3, 1, 2)


def tokens(height, width):
    def lay(output):
        output = output[:, output.shape[1] - height * width :]
        return output.transpose(1, 2).reshape(len(output), -1, height, width)

    return lay


def compare(network, layer, size, form):
    images = noise(1, 3, *size).double()
    network = lively(network).double()
    target, expected = by_hand(network, layer, images, form)
    found = xaibench.explain(network, images, target, ["gradcam"])["gradcam"]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def vit(**options):
    return timm.models.vision_transformer.VisionTransformer(**{**VIT, "patch_size": 8, **options})


SWIN_OF_TIMM = {
    "img_size": (32, 64), "num_classes": CLASSES, "window_size": 4, "embed_dim": 8,
    "depths": (1, 2), "num_heads": (1, 2),
}  # fmt: skip
SWIN_OF_TORCHVISION = {
    "patch_size": [4, 4], "embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2],
    "window_size": [4, 4], "num_classes": CLASSES,
}  # fmt: skip
SMALL = {
    "vit": (lambda: vit(img_size=(48, 80)), "blocks.1.norm1", (48, 80), tokens(6, 10)),
    "registers": (lambda: vit(img_size=48, reg_tokens=8), "blocks.1.norm1", (48, 48), tokens(6, 6)),
    "padded": (
        lambda: vit(img_size=64, dynamic_img_size=True, dynamic_img_pad=True),
        "blocks.1.norm1", (50, 70), tokens(7, 9),
    ),
    "mean": (
        lambda: vit(img_size=48, class_token=False, global_pool="avg"),
        "blocks.1.norm1", (48, 48), tokens(6, 6),
    ),
    "norm behind": (
        lambda: vit(img_size=48, block_fn=timm.models.vision_transformer.ResPostBlock),
        "blocks.0", (48, 48), tokens(6, 6),
    ),
    "cait": (
        lambda: timm.models.cait.Cait(img_size=48, **VIT, patch_size=8),
        "blocks.1", (48, 48), tokens(6, 6),
    ),
    "xcit": (
        lambda: timm.models.xcit.Xcit(img_size=64, **VIT, patch_size=8, cls_attn_layers=2),
        "blocks.1", (64, 64), tokens(8, 8),
    ),
    "swin": (
        lambda: timm.models.SwinTransformer(**SWIN_OF_TIMM),
        "layers.1.blocks.1.norm2", (32, 64), tokens(4, 8),
    ),
    "swin v2": (
        lambda: timm.models.SwinTransformerV2(**SWIN_OF_TIMM),
        "layers.1.blocks.1", (32, 64), last,
    ),
    "convnext": (
        lambda: timm.models.ConvNeXt(num_classes=CLASSES, depths=(1, 1, 1, 1), dims=(8,) * 4),
        "", (64, 96), first,
    ),
    "as many channels as classes": (
        lambda: timm.models.ResNet(timm.models.resnet.BasicBlock, [1, 1, 1, 1], CLASSES,
                                   channels=(4, 4, 4, CLASSES), stem_width=4),
        "", (96, 160), first,
    ),
}  # fmt: skip


def torchvisions_vit():
    return torchvision.models.VisionTransformer(48, 8, 2, 2, 24, 32, num_classes=CLASSES)


def torchvisions_convnext():
    blocks = [CNBlockConfig(8, 12, 1), CNBlockConfig(12, None, 1)]
    return torchvision.models.ConvNeXt(blocks, num_classes=CLASSES)


TORCHVISION = {
    "vit": (torchvisions_vit, "encoder.layers.encoder_layer_1.ln_1", (48, 48), tokens(6, 6)),
    "swin": (
        lambda: torchvision.models.SwinTransformer(**SWIN_OF_TORCHVISION),
        "features.3.1.norm2", (32, 64), last,
    ),
    "swin v2": (
        lambda: torchvision.models.SwinTransformer(
            **SWIN_OF_TORCHVISION, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2
        ),
        "features.3.1", (32, 64), last,
    ),
    "convnext": (torchvisions_convnext, "features", (32, 64), first),
}  # fmt: skip


@pytest.mark.parametrize("kind", TORCHVISION)
def test_small_networks_of_torchvision(kind):
    torch.manual_seed(0)
    make, layer, size, form = TORCHVISION[kind]
    compare(make(), layer, size, form)


@pytest.mark.parametrize("kind", SMALL)
def test_small_networks_of_timm(kind):
    torch.manual_seed(0)
    make, layer, size, form = SMALL[kind]
    compare(make(), layer, size, form)


FACE = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "image_size": 48, "patch_size": 8,
}  # fmt: skip
SWIN = {
    "image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2],
    "window_size": 4,
}  # fmt: skip
SIZES = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
HUGGING_FACE = {
    "Beit": (FACE, "beit.layers.1.layernorm_before", tokens(6, 6)),
    "ConvNext": (SIZES, "convnext.encoder.stages.3", first),
    "ConvNextV2": (SIZES, "convnextv2.encoder.stages.3", first),
    "Data2VecVision": (FACE, "data2vec_vision.encoder.layer.1.layernorm_before", tokens(6, 6)),
    "DeiT": (FACE, "deit.layers.1.layernorm_before", tokens(6, 6)),
    "Dinov2": (FACE, "dinov2.encoder.layer.1.norm1", tokens(6, 6)),
    "Dinov2WithRegisters": (
        FACE, "dinov2_with_registers.encoder.layer.1.norm1", tokens(6, 6),
    ),
    "FocalNet": (
        {"image_size": 64, "embed_dim": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]},
        "focalnet.layernorm", tokens(2, 2),
    ),
    "MobileNetV1": ({"depth_multiplier": 0.25}, "mobilenet_v1.layer.25", first),
    "MobileNetV2": ({"depth_multiplier": 0.25}, "mobilenet_v2.conv_1x1", first),
    "MobileViTV2": (
        {"image_size": 64, "width_multiplier": 0.25}, "mobilevitv2.encoder.layer.4", first,
    ),
    "PoolFormer": ({**SIZES, "num_encoder_blocks": 4}, "norm", first),
    "PvtV2": (
        {"image_size": 64, **SIZES, "num_attention_heads": [1, 1, 2, 2]},
        "pvt_v2.encoder.layers.3.layer_norm", tokens(2, 2),
    ),
    "RegNet": (
        {**SIZES, "embedding_size": 8, "groups_width": 4}, "regnet.encoder.stages.3", first,
    ),
    "ResNet": (
        {**SIZES, "embedding_size": 8, "layer_type": "basic"}, "resnet.encoder.stages.3", first,
    ),
    "Segformer": (
        {**SIZES, "num_attention_heads": [1, 1, 2, 2]}, "segformer.stages.3", first,
    ),
    "Swin": (SWIN, "swin.encoder.layers.1.blocks.1.layernorm_after", tokens(4, 4)),
    "Swinv2": (SWIN, "swinv2.layernorm", tokens(4, 4)),
    "ViT": (FACE, "vit.layers.1.layernorm_before", tokens(6, 6)),
    "ViTMSN": (FACE, "vit.layers.1.layernorm_before", tokens(6, 6)),
}  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [k if k in ("ViT", "Swin", "ConvNext") else pytest.param(k, marks=pytest.mark.slow)
     for k in HUGGING_FACE],
)  # fmt: skip
def test_networks_of_hugging_face(kind):
    transformers = pytest.importorskip("transformers")  # slow to import
    torch.manual_seed(0)
    options, layer, form = HUGGING_FACE[kind]
    config = getattr(transformers, f"{kind}Config")(num_labels=CLASSES, **options)
    network = getattr(transformers, f"{kind}ForImageClassification")(config)
    side = options.get("image_size", 64)
    if layer.startswith("vit.") and not hasattr(network.vit, "layers"):  # transformers 4
        layer = layer.replace("vit.layers", "vit.encoder.layer")
    compare(network, layer, (side, side), form)


# What `forward_features` gives, by where its channels are.
FEATURES = {
    first: """
        resnet18 resnetv2_50 seresnet18 skresnet18 legacy_seresnet18 resnest14d res2net50_26w_4s
        densenet121 dla34 dpn48b efficientnet_b0 tinynet_e mnasnet_small mobilenetv2_035
        mobilenetv3_small_050 mobilenetv4_conv_small lcnet_035 hardcorenas_a ghostnet_050
        repghostnet_050 fasternet_t0 mobileone_s0 repvgg_a0 regnetx_002 regnety_002 rexnet_100
        inception_v3 inception_v4 xception41 cspresnet50 cs3darknet_s darknet53 ese_vovnet19b_dw
        selecsls42 hrnet_w18_small hgnetv2_b0 dm_nfnet_f0 tresnet_m vgg11 convmixer_768_32
        botnet26t_256 halonet26t lambda_resnet26t convnext_atto inception_next_atto
        edgenext_xx_small fastvit_t8 focalnet_tiny_srf davit_tiny poolformer_s12 mobilevit_xxs
        mobilevitv2_050 repvit_m0_9 rdnet_tiny starnet_s1 shvit_s1 efficientvit_m0 pvt_v2_b0
        efficientformerv2_s0 nextvit_small tiny_vit_5m_224 nest_tiny
    """,
    last: "mambaout_femto sequencer2d_s",
    tokens(7, 7): "mixer_s32_224 twins_svt_small efficientformer_l1 mvitv2_tiny",
}
# Layers that a table has to know, and what no layer is certain of.
MEANT = {
    "deit_tiny_distilled_patch16_224": ("blocks.11.norm1", tokens(14, 14)),
    "eva02_tiny_patch14_224": ("blocks.11.norm1", tokens(16, 16)),
    "convit_tiny": ("blocks.11.norm1", tokens(14, 14)),
    "pit_ti_224": ("transformers.2.blocks.3.norm1", tokens(7, 7)),
    "volo_d1_224": ("network.4", last),
    "swin_tiny_patch4_window7_224": ("layers.3.blocks.1.norm2", tokens(7, 7)),
    "swinv2_cr_tiny_ns_224": ("stages.3.blocks.1", last),
    "vit_relpos_small_patch16_224": ("blocks.11.norm1", tokens(14, 14)),
}
UNCERTAIN = ("crossvit_tiny_240", "tnt_s_legacy_patch16_224", "levit_128s", "hiera_tiny_224")


def made(name):
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=CLASSES)
    side = network.default_cfg["input_size"][1]
    fixed = network.default_cfg.get("fixed_input_size") or name in (
        "mixer_s32_224",
        "hiera_tiny_224",
    )
    return network, (side, side) if fixed or side < 224 else (96, 128)


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "form"),
    [(name, form) for form, names in FEATURES.items() for name in names.split()],
)
def test_the_last_map_of_a_network_of_timm(name, form):
    network, size = made(name)
    try:
        with torch.no_grad():
            network.eval()(noise(1, 3, *size))
    except (RuntimeError, AssertionError):
        size = network.default_cfg["input_size"][1:]
    if form not in (first, last):
        size = (224, 224)
    compare(network, "", size, form)


@pytest.mark.full
@pytest.mark.parametrize("name", MEANT)
def test_the_layer_that_is_meant_in_a_transformer_of_timm(name):
    network = made(name)[0]
    compare(network, MEANT[name][0], network.default_cfg["input_size"][1:], MEANT[name][1])


@pytest.mark.full
@pytest.mark.parametrize("name", UNCERTAIN)
def test_what_is_uncertain_is_refused(name):
    network = made(name)[0]
    with pytest.raises(XaibenchError, match="not found for certain"):
        find_cam_layer(network.eval(), noise(1, 3, *network.default_cfg["input_size"][1:]))
