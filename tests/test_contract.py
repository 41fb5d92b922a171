"""The rules of `xaibench check`, kept by every plugin; a new one is tested without a line added."""

import re
from importlib.util import find_spec
from itertools import islice

import pytest
from PIL import Image

from xaibench.checks.networks import NETWORKS
from xaibench.checks.run import RULES, check_plugin, judge_plugin, trials_of
from xaibench.core.contract import KINDS
from xaibench.core.registry import bind, plugins

# What would take long as it is, or can't be opened without an option.
SPECS = {
    ("model", "abn"): "abn[backbone=resnet18]",
    ("dataset", "phantom"): "phantom[images=12]",
    ("dataset", "folder"): "folder[path={pictures}]",
    ("dataset", "across"): "across[train=phantom,test=phantom[images=8]]",
}
# What takes more than half a second; plugins of a kind stand for each other.
LARGE = {
    "ablationcam", "abn", "aic", "attention", "attnlrp", "autoencoder", "bcos", "blur_ig",
    "cam", "cam_to_mask", "captum", "coco_yolo", "deeplift", "denoising_autoencoder",
    "eigengradcam", "evidence", "extremal_perturbation", "f_fidelity", "fastshap", "fcn8",
    "finercam", "frozen_head", "gap_cnn", "gradcam_pp", "gradient_shap", "guided",
    "guided_gradcam", "guided_ig", "idgi", "integrated_gradients", "irof", "iscam",
    "kernel_shap", "legrad", "liftcam", "max_box_acc", "modified_vae", "opticam",
    "patch_classifier", "road", "saliency_lib", "saliency_net", "same_head", "scratch_cnn",
    "sensitivity_n", "sic", "small_alexnet", "small_resnet", "small_vgg", "smooth_gradcam_pp",
    "smoothgrad", "softcam", "spn", "sscam", "tsne", "umap", "unet", "vae", "vargrad", "wsol",
    "xrai", "zennit_lib",
}  # fmt: skip
# Wrap a library that is an extra of its own.
WITHOUT = {name for name in ("umap",) if find_spec(name) is None}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Two classes of one picture each, one with a mask."""
    folder = tmp_path_factory.mktemp("pictures")
    for label in ("cat", "dog"):
        (folder / label).mkdir()
        Image.new("RGB", (9, 7), (90, 60, 30)).save(folder / label / "1.png")
    Image.new("L", (9, 7), 255).save(folder / "cat" / "1_mask.png")
    return folder


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kind, name, marks=pytest.mark.slow if name in LARGE else ())
        for kind in KINDS
        for name in plugins(kind)
    ],
)
def test_a_plugin_keeps_every_rule(kind, name, pictures):
    if name in WITHOUT:
        pytest.skip(f"{name} is an extra that isn't installed")
    small = "[backbone=mobilenet_v3_small]"
    default = small if "backbone" in plugins(kind)[name].signature.options else ""
    spec = SPECS.get((kind, name), f"{name}{default}").format(pictures=pictures)
    check(kind, list(islice(trials_of(bind(kind, spec)), 1)))


@pytest.mark.slow
@pytest.mark.parametrize("name", plugins("method"))
def test_a_method_keeps_every_rule_on_every_network(name):
    others = list(islice(trials_of(bind("method", name)), 1, None))  # the first by default
    if others:
        check("method", others)


def check(kind, trials):
    findings = judge_plugin(kind, trials)
    # What is doubtful in others' plugins must not be in ours.
    broken = [each for each in findings if each.status not in ("ok", "skipped")]
    assert {each.rule.title: each.why for each in broken} == {}


@pytest.mark.slow
def test_every_network_tries_methods_and_every_method_is_tried():
    tried = {
        name: {t.network for t in trials_of(bind("method", name))} for name in plugins("method")
    }
    assert all(tried.values())
    assert set.union(*tried.values()) == set(NETWORKS)


@pytest.mark.parametrize("kind", KINDS)
def test_rules_have_titles_of_their_own(kind):
    titles = [each.title for each in RULES[kind]]
    assert len(set(titles)) == len(titles)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"), [("method", "gradcam"), ("metric", "iou"), ("dataset", "phantom")]
)
def test_check_says_what_a_plugin_costs(kind, name, pictures):
    report = check_plugin(bind(kind, SPECS.get((kind, name), name)))
    assert " s an image" in report.cost
    assert re.search(r"memory( unknown)? at the peak \(8 images of ", report.cost)
    assert [line.split()[0] for line in report.lines()][-1] == "cost"
