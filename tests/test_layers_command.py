from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from plugin_files import forget_plugin_files
from torch import nn

from xaibench.checks.model_trial import ModelTrial
from xaibench.checks.run import find, judge_plugin
from xaibench.cli import cli
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.layer_rows import list_layers, size_of, stages
from xaibench.core.registry import load_plugin_file, plugins
from xaibench.explaining.layers import build_untrained, describe_layers
from xaibench.running.plan import make_plan
from xaibench.setup.selection import select


@pytest.fixture(autouse=True, scope="module")
def _registry_left_without_plugin_files():
    yield
    forget_plugin_files()


def described(spec, size, layer="", classes=None):
    return list(describe_layers(build_untrained(spec, size, classes), layer))


def told(*arguments):
    result = CliRunner().invoke(cli, ["layers", *arguments, "--image-size", "64"])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_the_layer_its_form_and_the_head_are_told():
    lines = told("resnet18")
    assert lines[1] == "CAM layer: layer4 (the table of known networks)"
    assert lines[2].split() == ["Sequential,", "512", "x", "2", "x", "2", "activations"]
    assert "one linear layer: `cam` works" in lines[3]
    names = [line.split()[0] for line in lines[5:18]]
    assert names[:2] == ["layer4", "layer4.1"]
    assert names[12] == "layer"  # all of them follow


@pytest.mark.parametrize(
    ("model", "layer", "head"),
    [
        ("mobilenet_v3_small", "features", "pooling, then more"),
        ("squeezenet1_1", "features", "layers that see positions"),
        ("saliency_net[backbone=squeezenet1_1]", "trunk", "pooling, then more"),
        pytest.param(
            "densenet121", "features", "layers that see positions", marks=pytest.mark.slow
        ),
        ("resnet18[hidden=16]", "layer4", "pooling, then more"),
        ("gap_cnn", "features", "pooling and one linear layer"),
        ("small_vgg[filters=8-8-8-8]", "features", "layers that see positions"),
        pytest.param(
            "swin_t", "features.7.1.norm2", "layers that see positions", marks=pytest.mark.slow
        ),
    ],
)
def test_plugins_and_networks_of_torchvision_alike(model, layer, head):
    lines = told(model)
    assert lines[1].startswith(f"CAM layer: {layer} (")
    assert head in lines[3]


# Of timm's small ones, no two of one kind.
TIMM = {
    "byobnet": "stages", "efficientnet_evos": "bn2", "mambaout": "stages", "nfnet": "final_act",
    "vit_relpos": "blocks.8.norm1",
}  # fmt: skip


@pytest.mark.slow
def test_timms_families_are_known_by_name():
    found = {name: told(f"timm/test_{name}")[1].split()[2] for name in TIMM}
    assert found == TIMM


@pytest.mark.parametrize("model", ["autoencoder", "vae", "fcn8[backbone=squeezenet1_1]"])
def test_a_model_that_does_not_classify_has_no_layer(model):
    title, only = told(model)[:2]
    assert title == f"{model}, images of 64 x 64"
    assert only.startswith("CAM layer: none, as it doesn't classify")
    with pytest.raises(XaibenchError, match="no method reads a layer of it"):
        described(model, 64, "encoder")


@pytest.mark.full
@pytest.mark.parametrize("model", sorted(plugins("model")))
def test_every_model_says_which_layer_it_has(model):
    lines = described(model, 96)
    assert lines[1].startswith("CAM layer: ")
    assert lines[1].startswith("CAM layer: none") == (len(lines) == 2)


def test_a_checkpoint_of_two_classes_is_looked_at_with_two(tmp_path):
    plugins("model")
    load_plugin_file(Path(__file__).parent / "checkpoint_plugins.py")
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.Conv2d(6, 8, 3),
        nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 2),
    )  # fmt: skip
    torch.save(network.state_dict(), tmp_path / "two.pt")
    spec = f"checkpoint[file={tmp_path / 'two.pt'}]"
    assert described(spec, 64, classes=2)[1] == "CAM layer: 4 (set by the model)"
    with pytest.raises(XaibenchError, match=r"\[2, 32\].* for 10 classes; give --classes") as error:
        described(spec, 64)
    assert "\n" not in str(error.value)
    (bound,) = find(spec)
    assert judged(bound, 2) == {"ok", "skipped"}
    (told_so,) = [each for each in judge_plugin("model", [ModelTrial(bound)])
                  if each.status == "fails"]  # fmt: skip
    assert "for 3 classes it raises" in told_so.why
    assert "give --classes" in told_so.why


def judged(bound, classes):
    return {each.status for each in judge_plugin("model", [ModelTrial(bound, classes)])}


def test_another_layer_can_be_looked_at():
    name = told("squeezenet1_1")[6].split()[0]
    assert told("squeezenet1_1", "--layer", name)[1] == f"CAM layer: {name} (set by --layer)"


@pytest.mark.parametrize(
    ("model", "layer", "said"),
    [
        ("resnet81", "", "did you mean 'resnet18'"),
        ("resnet18", "layer9", "no layer 'layer9'"),
        ("vit_b_32", "", "takes no images of 64 x 64"),
    ],
)
def test_mistakes_are_told_in_one_sentence(model, layer, said):
    with pytest.raises(XaibenchError, match=said) as error:
        described(model, 64, layer)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_run_takes_the_layer_and_refuses_one_that_is_not_there(tmp_path):
    given = {
        "dataset": "phantom[images=30]", "models": ["resnet18"], "methods": ["gradcam"],
        "out": str(Path(tmp_path)),
    }  # fmt: skip
    selection = select({**given, "layer": "layer3"})
    assert selection.build(selection.models[0], 0).cam_layer == "network.layer3"
    with pytest.raises(XaibenchError, match="no layer 'layer7'"):
        make_plan(select({**given, "layer": "layer7"}))


@pytest.mark.slow
def test_a_layer_of_one_position_is_refused_before_anything_runs(tmp_path):
    given = {
        "dataset": "phantom[images=30]", "models": ["resnet18"], "image_size": 32,
        "methods": ["gradcam", "gradient"], "weights": "none", "out": str(Path(tmp_path)),
    }  # fmt: skip
    plan = make_plan(select(given))
    (told,) = [skip.reason for skip in plan.skips if skip.what.startswith("gradcam")]
    assert "'layer4' has one position only" in told
    assert "64 x 64 would do" in told
    with pytest.raises(XaibenchError, match="64 x 64 would do"):
        make_plan(select({**given, "methods": ["gradcam"]}))


@pytest.mark.slow
def test_every_layer_has_its_output_and_its_parameters(tmp_path):
    lines = told("gap_cnn", "--classes", "2", "--svg", str(tmp_path / "net.svg"))
    rows = {line.split()[0]: line.split()[1:] for line in lines[18:]}
    assert rows["features.12"] == ["Conv2d", "128", "x", "4", "x", "4", "73,856"]  # 64*128*9 + 128
    assert rows["classifier.0"] == ["Linear", "2", "258"]
    assert "parameters: 102,498, of which a training changes 102,498" in lines
    assert "means and variances of batch norms: 512; 103,010 numbers in all" in lines
    assert "features.12" in (tmp_path / "net.svg").read_text("utf-8")
    assert (tmp_path / "net.png").is_file()


def test_a_deep_network_is_drawn_by_parts_of_one_level():
    built = build_untrained("resnet18", 64)
    rows = list_layers(built.model, built.images)
    names = [row.name for row in stages(rows, 20)]
    assert names[:5] == ["conv1", "bn1", "relu", "maxpool", "layer1.0"]
    assert "layer4.1" in names
    assert "layer4" not in names
    assert [row.name for row in stages(rows, 11)][4:8] == ["layer1", "layer2", "layer3", "layer4"]
    own = built.model.network
    assert size_of(own).parameters == sum(p.numel() for p in own.parameters())
