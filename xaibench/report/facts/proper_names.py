"""What papers call methods and networks: ``gradcam_pp`` is Grad-CAM++, ``resnet18`` ResNet-18."""

import re

_METHODS = {
    "ablationcam": "Ablation-CAM",
    "all_ones": "All ones",
    "attention": "Attention rollout",
    "attnlrp": "AttnLRP",
    "average_mask": "Average mask",
    "blur_ig": "Blur IG",
    "cam": "CAM",
    "ceiling": "Ceiling",
    "center": "Center",
    "deeplift": "DeepLIFT",
    "eigencam": "Eigen-CAM",
    "eigengradcam": "EigenGrad-CAM",
    "extremal_perturbation": "Extremal perturbation",
    "fastshap": "FastSHAP",
    "finercam": "Finer-CAM",
    "fullgrad": "FullGrad",
    "gradcam": "Grad-CAM",
    "gradcam_pp": "Grad-CAM++",
    "gradient": "Gradient",
    "gradient_shap": "GradientSHAP",
    "guided_backprop": "Guided Backprop",
    "guided_gradcam": "Guided Grad-CAM",
    "guided_ig": "Guided IG",
    "hirescam": "HiResCAM",
    "idgi": "IDGI",
    "input_x_gradient": "Input x Gradient",
    "integrated_gradients": "Integrated Gradients",
    "iscam": "IS-CAM",
    "kernel_shap": "KernelSHAP",
    "layercam": "LayerCAM",
    "legrad": "LeGrad",
    "liftcam": "LIFT-CAM",
    "lrp": "LRP",
    "occlusion": "Occlusion",
    "opticam": "Opti-CAM",
    "oracle": "Oracle",
    "random": "Random",
    "residual": "Residual",
    "rise": "RISE",
    "scorecam": "Score-CAM",
    "segmentation": "Segmentation",
    "smooth_gradcam_pp": "Smooth Grad-CAM++",
    "smoothgrad": "SmoothGrad",
    "sobel": "Sobel",
    "spn": "SPN",
    "sscam": "SS-CAM",
    "vargrad": "VarGrad",
    "xgradcam": "XGrad-CAM",
    "xrai": "XRAI",
}
_NETWORKS = [
    (re.compile(pattern), name)
    for pattern, name in (
        (r"resnet(\d+)", r"ResNet-\1"),
        (r"vgg(\d+)(_bn)?", r"VGG-\1"),
        (r"densenet(\d+)", r"DenseNet-\1"),
        (r"squeezenet(\d)_(\d)", r"SqueezeNet \1.\2"),
        (r"mobilenet_v3_small", "MobileNetV3-Small"),
        (r"mobilenet_v3_large", "MobileNetV3-Large"),
        (r"efficientnet_b(\d)", r"EfficientNet-B\1"),
        (r"inception_v3", "Inception v3"),
        (r"alexnet", "AlexNet"),
        (r"unet", "U-Net"),
        (r"fcn8", "FCN-8"),
        (r"saliency_net", "Saliency network"),
    )
]


def method_name(spec: str) -> str:
    """Return what a paper calls a method, with its options; of an unknown one its own name.

    >>> method_name("gradcam_pp"), method_name("rise[masks=9,cells=7]"), method_name("mine")
    ('Grad-CAM++', 'RISE (masks=9, cells=7)', 'mine')
    """
    name, bracket, options = spec.partition("[")
    return _with_options(_METHODS.get(name, name), bracket + options)


def network_name(spec: str) -> str:
    """Return what a paper calls a network, with its options.

    >>> network_name("resnet50"), network_name("fcn8[backbone=resnet18]"), network_name("mine")
    ('ResNet-50', 'FCN-8 (backbone=resnet18)', 'mine')
    """
    name, bracket, options = spec.partition("[")
    for pattern, proper in _NETWORKS:
        if found := pattern.fullmatch(name):
            name = found.expand(proper)
            break
    return _with_options(name, bracket + options)


def bare_method_name(spec: str) -> str:
    """Return a method's name without options, where these are written beside it."""
    return method_name(spec.partition("[")[0])


def bare_network_name(spec: str) -> str:
    """Return a network's name without options, where these are written beside it."""
    return network_name(spec.partition("[")[0])


def _with_options(name: str, bracketed: str) -> str:
    return f"{name} ({bracketed[1:-1].replace(',', ', ')})" if bracketed else name
