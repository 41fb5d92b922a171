"""Captum's and pytorch-grad-cam's own classes, by name."""

import random
import sys

import captum.attr
import numpy as np
import pytest
import pytorch_grad_cam
import torch
import torchvision
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torch.nn import functional
from torchvision.models.swin_transformer import SwinTransformer

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier
from xaibench.core.peers import insert_probe, untouched
from xaibench.core.registry import bind
from xaibench.core.seeds import BatchGenerator
from xaibench.methods.captum import _find_classes as classes_of_captum
from xaibench.methods.gradcam_lib import _find_classes as classes_of_gradcam_lib

HEIGHT, WIDTH, CLASSES = 40, 56, 3
CAPTUM = sorted(classes_of_captum(captum.attr))
GRADCAM_LIB = sorted(classes_of_gradcam_lib(pytorch_grad_cam))
DRAWING = [
    *(f"captum[name={n}]" for n in ("DeepLiftShap,smooth=2", "GradientShap", "KernelShap",
                                    "LayerGradientShap", "Lime", "ShapleyValueSampling",
                                    "Saliency,smooth=3", "LayerGradCam,smooth=3")),
    "gradcam_lib[name=RandomCAM]",
]  # fmt: skip


class Convolutions(nn.Module):
    """Activations of both signs, behind which a ReLU works in place, as in DenseNet."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.Conv2d(6, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
        )
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d((2, 3))
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(48, CLASSES)

    def forward(self, images):
        return self.classifier(self.flatten(self.pool(self.relu(self.features(images)))))


class InPlace(Convolutions):
    """A function works in place on the layer's output, which no hook can tell."""

    def forward(self, images):
        found = functional.relu(self.features(images), inplace=True)
        return self.classifier(self.flatten(self.pool(found)))


class Reused(Convolutions):
    """One ReLU is used twice, as in torchvision's ResNets."""

    def forward(self, images):
        found = self.features[3](self.relu(self.features[0](images)))
        return self.classifier(self.flatten(self.pool(self.relu(found))))


def pictures(count=3, height=HEIGHT, width=WIDTH):
    grid = torch.rand(count, 3, 5, 7, generator=torch.Generator().manual_seed(1))
    return functional.interpolate(grid, (height, width), mode="bicubic").clamp(0, 1)


IMAGES, TARGETS = pictures(), torch.tensor([2, 0, 1])


def calibrated(network, layer="features"):
    """Large logits, running statistics, mixed modes, a frozen weight and a gradient."""
    model = Classifier(network, cam_layer=layer).train()
    with torch.no_grad():
        network.classifier.weight *= 20
        for _ in range(3):
            model(pictures() + 0.1 * torch.rand(3, 3, HEIGHT, WIDTH))
    network.features[1].eval()
    network.features[0].weight.requires_grad_(requires_grad=False)
    network.classifier.bias.grad = torch.ones(CLASSES)
    return model


def build(kind=Convolutions):
    torch.manual_seed(0)
    return calibrated(kind())


def small_vit():
    torch.manual_seed(0)
    network = torchvision.models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64,
        num_classes=CLASSES,
    )  # fmt: skip
    nn.init.normal_(network.heads[-1].weight)
    nn.init.normal_(network.class_token)
    return Classifier(network, cam_layer="encoder.layers.encoder_layer_1.ln_1"), pictures(3, 64, 64)


def small_swin():
    torch.manual_seed(0)
    network = SwinTransformer(
        patch_size=[4, 4], embed_dim=16, depths=[2, 2], num_heads=[2, 2], window_size=[4, 4],
        num_classes=CLASSES,
    )  # fmt: skip
    return Classifier(network, cam_layer="features"), pictures(3, 32, 48)


def ask(spec, model=None, images=IMAGES, rows=(0, 1, 2), seed=0):
    """Return raw maps of some rows, each with a seed of its own."""
    method, rows = bind("method", spec), list(rows)
    generator = BatchGenerator([100 * seed + row for row in rows])
    return method.plugin.function(
        images[rows], TARGETS[rows], model or build(), generator, **method.options
    )


def state_of(model):
    """Everything that a library might leave behind."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    parts = {
        name: (id(part), part.training, getattr(part, "inplace", None), sorted(vars(part)),
               [list(getattr(part, kind)) for kind in hooks])
        for name, part in model.named_modules()
    }  # fmt: skip
    weights = {
        name: (id(each), each.requires_grad, id(each.grad), each.data_ptr(), each.sum().item())
        for name, each in model.named_parameters()
    }
    return parts, weights


def random_states():
    return str((torch.get_rng_state().tolist(), np.random.get_state(), random.getstate()))


def check_maps(spec, coarse):
    model, pixels = build(), IMAGES.clone()
    before, drawn = state_of(model), random_states()
    maps = ask(spec, model)
    assert maps.shape[0] == 3
    assert maps.shape[1:] == ((HEIGHT // 4, WIDTH // 4) if coarse else (HEIGHT, WIDTH))
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()
    assert (maps.amax(dim=(1, 2)) > maps.amin(dim=(1, 2))).all()
    assert state_of(model) == before
    assert random_states() == drawn
    assert torch.equal(IMAGES, pixels)
    assert not IMAGES.requires_grad
    torch.testing.assert_close(ask(spec, model, rows=[1])[0], maps[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if "Shapley" in name else ()) for name in CAPTUM],
)
def test_every_class_of_captum_gives_a_map_for_each_image_and_leaves_no_trace(name):
    check_maps(f"captum[name={name}]", name.startswith("Layer") or name == "InternalInfluence")


@pytest.mark.parametrize("name", GRADCAM_LIB)
def test_every_class_of_gradcam_lib_gives_a_map_for_each_image_and_leaves_no_trace(name):
    check_maps(f"gradcam_lib[name={name}]", coarse=False)


def test_nothing_that_explains_a_class_of_an_image_is_missing():
    assert {
        "DeepLift", "DeepLiftShap", "Deconvolution", "FeatureAblation", "GradientShap",
        "GuidedBackprop", "GuidedGradCam", "InputXGradient", "IntegratedGradients",
        "InternalInfluence", "KernelShap", "LRP", "LayerActivation", "LayerConductance",
        "LayerDeepLift", "LayerDeepLiftShap", "LayerFeatureAblation", "LayerGradCam",
        "LayerGradientShap", "LayerGradientXActivation", "LayerIntegratedGradients", "LayerLRP",
        "Lime", "Occlusion", "Saliency", "ShapleyValueSampling", "ShapleyValues",
    } <= set(CAPTUM)  # fmt: skip
    assert {
        "AblationCAM", "EigenCAM", "EigenGradCAM", "FullGrad", "GradCAM", "GradCAMElementWise",
        "GradCAMPlusPlus", "HiResCAM", "LayerCAM", "RandomCAM", "ScoreCAM", "XGradCAM",
    } <= set(GRADCAM_LIB)  # fmt: skip


@pytest.mark.parametrize(
    "spec",
    [pytest.param(spec, marks=pytest.mark.slow if "ShapleyValueSampling" in spec else ())
     for spec in DRAWING],
)  # fmt: skip
def test_maps_that_are_drawn_depend_on_the_seed_alone(spec):
    model = build()
    torch.manual_seed(1)
    first = ask(spec, model)
    torch.manual_seed(2)
    assert torch.equal(ask(spec, model), first)
    assert not torch.equal(ask(spec, model, seed=1), first)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("captum[name=Saliency]", "gradient"),
        ("captum", "integrated_gradients"),
        ("captum[name=InputXGradient]", "input_x_gradient"),
        ("captum[name=InputXGradient,part=positive]", "input_x_gradient[part=positive]"),
        ("captum[name=GuidedBackprop]", "guided_backprop"),
        ("captum[name=DeepLift]", "deeplift"),
        ("captum[name=LayerGradCam]", "gradcam"),
        ("captum[name=LayerGradientXActivation,part=positive]", "hirescam"),
        ("gradcam_lib", "gradcam"),
        ("gradcam_lib[name=HiResCAM]", "hirescam"),
        ("gradcam_lib[name=LayerCAM]", "layercam"),
        ("gradcam_lib[name=XGradCAM]", "xgradcam"),
        ("gradcam_lib[name=ScoreCAM]", "scorecam[align_corners=true]"),
    ],
)
def test_adapters_agree_with_our_own_methods(theirs, ours):
    methods = [theirs, ours]
    maps = xaibench.explain(build(), IMAGES, targets=TARGETS, methods=methods).values()
    torch.testing.assert_close(*maps, rtol=0, atol=1e-3)


@pytest.mark.parametrize("make", [small_vit, small_swin])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("captum[name=LayerGradCam]", "gradcam"),
        ("captum[name=LayerGradientXActivation,part=positive]", "hirescam"),
        ("gradcam_lib", "gradcam"),
        ("gradcam_lib[name=HiResCAM]", "hirescam"),
    ],
)
def test_tokens_are_laid_out_on_the_image(make, theirs, ours):
    model, images = make()
    maps = xaibench.explain(model, images, targets=TARGETS, methods=[theirs, ours]).values()
    torch.testing.assert_close(*maps, rtol=0, atol=1e-3)


@pytest.mark.parametrize("make", [small_vit, small_swin])
@pytest.mark.parametrize(
    "spec",
    ["captum[name=LayerIntegratedGradients]", "captum[name=LayerFeatureAblation]",
     "gradcam_lib[name=AblationCAM]", "gradcam_lib[name=ScoreCAM]"],
)  # fmt: skip
def test_what_changes_activations_works_on_tokens(make, spec):
    model, images = make()
    maps = ask(spec, model, images, rows=[0, 1])
    assert maps.isfinite().all()
    assert (maps.amax(dim=(1, 2)) > maps.amin(dim=(1, 2))).all()


@pytest.mark.parametrize("make", [small_vit, small_swin, lambda: (build(), IMAGES)])
def test_a_probe_changes_no_logit(make):
    model, images = make()
    expected = model.eval()(images)
    with untouched(model):
        insert_probe(model, images)
        torch.testing.assert_close(model(images), expected)


@pytest.mark.parametrize("name", [name for name in GRADCAM_LIB if name != "RandomCAM"])
def test_gradcam_libs_maps_are_those_of_the_library_itself(name):
    model = build().eval()
    model.network.features[2].inplace = model.network.relu.inplace = False
    target = ClassifierOutputTarget(2)
    given = {"targets": None, "target_idx": 2} if name == "FinerCAM" else {"targets": [target]}
    library = getattr(pytorch_grad_cam, name)
    expected = library(model, [model.network.features])(IMAGES[:1].clone(), **given)
    found = ask(f"gradcam_lib[name={name}]", build(), rows=[0])
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("theirs", ["gradcam_lib", "captum[name=LayerGradCam]"])
def test_functions_in_place_do_not_reach_what_a_library_recorded(theirs):
    maps = xaibench.explain(build(InPlace), IMAGES, targets=TARGETS, methods=[theirs, "gradcam"])
    torch.testing.assert_close(*maps.values(), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("plain", "spec"),
    [
        ("captum", "captum[arguments=n_steps:3]"),
        ("captum", "captum[arguments=n_steps:9+method:riemann_trapezoid]"),
        ("captum", "captum[arguments=multiply_by_inputs:False]"),
        ("captum", "captum[arguments=baselines:0.5]"),
        ("captum", "captum[smooth=3]"),
        ("captum[name=Saliency]", "captum[name=Saliency,arguments=abs:False,part=signed]"),
        ("captum[name=Saliency,smooth=3]", "captum[name=Saliency,smooth=3,arguments=stdevs:0.3]"),
        ("captum[name=Occlusion]",
         "captum[name=Occlusion,arguments=sliding_window_shapes:[3,9,7]+strides:[3,4,5]]"),
        ("captum[name=FeatureAblation]", "captum[name=FeatureAblation,segments=9]"),
        ("gradcam_lib", "gradcam_lib[eigen_smooth=true]"),
        ("gradcam_lib", "gradcam_lib[aug_smooth=true]"),
        ("gradcam_lib[name=KPCA_CAM]", "gradcam_lib[name=KPCA_CAM,arguments=kernel:rbf]"),
        ("gradcam_lib[name=FinerCAM]",
         "gradcam_lib[name=FinerCAM,arguments=base_method:LayerCAM+alpha:0.5]"),
    ],
)  # fmt: skip
def test_arguments_and_options_pass_through(plain, spec):
    model = build()
    assert not torch.equal(ask(plain, model, rows=[0]), ask(spec, model, rows=[0]))


@pytest.mark.parametrize("name", ["AblationCAM", "ScoreCAM"])
def test_batch_size_changes_nothing_and_progress_is_silent(name, capsys):
    model = build()
    small = ask(f"gradcam_lib[name={name},arguments=batch_size:3]", model)
    torch.testing.assert_close(small, ask(f"gradcam_lib[name={name}]", model))
    ask("gradcam_lib[name=HiResCAM,eigen_smooth=true]", model)
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_passes_in_parts_change_nothing():
    model = build()
    for name, argument in (
        ("IntegratedGradients", "internal_batch_size"),
        ("FeatureAblation", "perturbations_per_eval"),
        ("LayerFeatureAblation", "perturbations_per_eval"),
        ("KernelShap", "perturbations_per_eval"),
    ):
        small = ask(f"captum[name={name},arguments={argument}:3]", model)
        torch.testing.assert_close(small, ask(f"captum[name={name}]", model), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "captum[name=Salience]",
            r"^captum\[name=Salience\]: .* 'Salience' \(did you mean 'Saliency'\?\); choose one of",
        ),
        ("captum[name=NeuronGradient]", "there is no class"),
        ("captum[name=FeaturePermutation]", "there is no class"),
        ("gradcam_lib[name=GradCam]", r"no class 'GradCam' \(did you mean 'GradCAM'\?\)"),
        ("gradcam_lib[name=DeepFeatureFactorization]", "there is no class"),
        ("gradcam_lib[name=SESS,arguments=base_method:Nothing]", "there is no class"),
        ("captum[arguments=n_step:3]", r"takes no argument 'n_step' \(did you mean 'n_steps'\?\)"),
        ("captum[arguments=target:3]", "takes no argument 'target'"),
        ("gradcam_lib[arguments=batch_size:3]", "takes no argument 'batch_size'; it takes none"),
        ("captum[arguments=n_steps]", "'n_steps' is no name:value"),
        ("captum[arguments=n_steps:3+n_steps:4]", "or it is given twice"),
        ("captum[arguments=n_steps:many]", r"captum\[name=IntegratedGradients\] failed \("),
        ("gradcam_lib[name=SESS,aug_smooth=true]", "failed .*'aug_smooth'"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(spec, said):
    with pytest.raises(XaibenchError, match=said) as caught:
        ask(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        ("captum", ("captum", "captum.attr")),
        ("gradcam_lib", ("pytorch_grad_cam",)),
        ("lrp", ("zennit", "zennit.canonizers")),
    ],
)
def test_a_missing_library_comes_with_its_remedy(spec, missing, monkeypatch):
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        XaibenchError, match=r"can't be imported .*; (.*\[libraries\]|.* anew with pip)"
    ):
        ask(spec)


@pytest.mark.parametrize(
    ("name", "said"),
    [("DeepLift", "being used more than once"), ("LRP", "has no rule")],
)
def test_what_captum_refuses_is_told_and_leaves_no_trace(name, said):
    model = build(Reused)
    model.cam_layer = "network.features.3"
    model.network.features[4] = nn.GELU()
    before, drawn = state_of(model), random_states()
    with pytest.raises(XaibenchError, match=rf"captum\[name={name}\] failed \(\w+: .*{said}"):
        ask(f"captum[name={name}]", model)
    assert state_of(model) == before
    assert random_states() == drawn


@pytest.mark.parametrize("spec", ["gradcam_lib[name=AblationCAM]", "captum[name=LayerDeepLift]"])
def test_a_network_that_fails_midway_is_put_together_again(spec):
    model, passes = build(), []

    def fail(_, inputs):
        passes.append(inputs)
        if len(passes) > (1 if "captum" in spec else 2):  # the first one looks at the layer
            raise RuntimeError("out of\norder.")

    model.network.classifier.register_forward_pre_hook(fail)
    before = state_of(model)
    with pytest.raises(XaibenchError, match=r"failed \(RuntimeError: out of order\)\.$"):
        ask(spec, model)
    assert state_of(model) == before


def test_whatever_happens_to_a_borrowed_network_is_undone():
    model = build()
    before, weights = state_of(model), model.state_dict(keep_vars=True).copy()

    def meddle():
        assert not any(part.training for part in model.modules())
        assert not any(parameter.requires_grad for parameter in model.parameters())
        assert not model.network.relu.inplace
        model.network.features[2].register_forward_hook(print)
        model.network.features[0].weight.data = torch.zeros(1)
        model.network.relu, model.network.rule = nn.Identity(), "a rule"
        model.zero_grad()
        raise KeyError

    with pytest.raises(KeyError), untouched(model):
        meddle()
    assert state_of(model) == before
    assert model.state_dict(keep_vars=True).keys() == weights.keys()
    with untouched(model, frozen=False):
        assert all(parameter.requires_grad for parameter in model.parameters())
    assert state_of(model) == before


def test_callers_without_gradients_are_served():
    model = build()
    expected = [ask(spec, model) for spec in ("captum", "gradcam_lib")]
    with torch.inference_mode():
        images = IMAGES.clone()
        found = [ask(spec, model, images) for spec in ("captum", "gradcam_lib")]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    model.train()(IMAGES).sum().backward()  # no weight has become an inference tensor


def test_a_model_without_a_layer_is_refused_only_where_one_is_needed():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * HEIGHT * WIDTH, CLASSES))
    model = Classifier(network, cam_layer=None)
    assert ask("captum[name=Saliency]", model).shape == (3, HEIGHT, WIDTH)
    for spec in ("captum[name=LayerGradCam]", "gradcam_lib"):
        with pytest.raises(XaibenchError, match="no layer has a map"):
            ask(spec, model)


def test_any_network_is_explained_without_naming_a_layer():
    methods = ["gradcam_lib", "captum[name=LayerGradCam]"]
    maps = xaibench.explain(build().network, IMAGES, targets=TARGETS, methods=methods)
    torch.testing.assert_close(*maps.values(), rtol=0, atol=1e-3)
