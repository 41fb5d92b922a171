import math

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import mobilenet_v3_small

import xaibench
from xaibench import Explainer, XaibenchError, explain, score
from xaibench.core.contract import ATTENTION, ATTENTION_WORDS, OWN_WORDS, TRAINING_WORDS
from xaibench.core.registry import plugins

HEIGHT, WIDTH, CLASSES = 40, 56, 3
HALF = torch.tensor([[[1.0, 0.6, 0.2, 0.0], [0.5, 0.4, 0.0, 0.0]]])  # 3 of 8 pixels reach half
LEFT = torch.tensor([[[1, 0, 0, 0], [1, 0, 0, 0]]])


def plain_net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 8, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


@pytest.fixture
def net():
    model = plain_net()
    with torch.no_grad():  # statistics of their own, so that train and eval mode differ
        model(torch.rand(8, 3, HEIGHT, WIDTH))
    return model


@pytest.fixture
def images():
    return torch.rand(3, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))


def gradcam_by_hand(model, images, targets, layer):
    model.eval()
    kept = []
    hook = layer.register_forward_hook(lambda _m, _i, output: kept.append(output))
    logits = model(images)
    hook.remove()
    chosen = logits[torch.arange(len(images)), targets].sum()
    (gradient,) = torch.autograd.grad(chosen, kept[0])
    raw = (gradient.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1, keepdim=True).relu()
    large = nn.functional.interpolate(raw, (HEIGHT, WIDTH), mode="bilinear", align_corners=False)
    low, high = large.amin((1, 2, 3), keepdim=True), large.amax((1, 2, 3), keepdim=True)
    return ((large - low) / (high - low)).nan_to_num(0)[:, 0].detach()


def test_a_plain_network_is_explained_at_the_layer_given(net, images):
    net[4] = nn.ReLU()
    targets = torch.tensor([2, 0, 1])
    maps = explain(net, images, targets, layer="3")
    assert set(maps) == {"gradcam"}
    expected = gradcam_by_hand(net, images, targets, net[3])
    assert (expected.amax(dim=(1, 2)) == 1).sum() > 1, "constant maps show nothing"
    torch.testing.assert_close(maps["gradcam"], expected, rtol=1e-4, atol=1e-5)


def test_the_last_spatial_layer_is_found(net, images):
    found, given = explain(net, images), explain(net, images, layer="4")
    assert torch.equal(found["gradcam"], given["gradcam"])
    network = mobilenet_v3_small(weights=None)
    torch.testing.assert_close(
        explain(network, images)["gradcam"], explain(network, images, layer="features")["gradcam"]
    )


def test_an_unknown_layer_is_an_error_that_lists_layers(net, images):
    with pytest.raises(XaibenchError, match=r"no layer 'layer4'.* 3, 4, 5, 6, 7"):
        explain(net, images, layer="layer4")


def test_networks_that_normalize_in_place_are_explained_like_others(net, images):
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, images):
            return self.net(images.sub_(0.5))

    methods, before = ["gradcam", "gradient", "scorecam", "integrated_gradients"], images.clone()
    ours = explain(InPlace(), images, 1, methods)
    assert torch.equal(images, before)
    theirs = explain(net, images - 0.5, 1, ["gradcam", "gradient"])
    for method, maps in theirs.items():
        torch.testing.assert_close(ours[method], maps)


@pytest.mark.slow
def test_a_model_in_float64_gets_its_maps_in_float64(net, images):
    methods = ["gradcam", "gradient", "occlusion[window=5]", "rise[masks=8]", "sobel", "all_ones"]
    double = explain(net.double(), images, 1, methods)
    single = explain(net.float(), images, 1, methods)
    assert {maps.dtype for maps in single.values()} == {torch.float32}
    for method in methods[:-1]:
        assert double[method].dtype == torch.float64, method
        assert 0 < (double[method] - single[method]).abs().max() < 1e-3, method


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_in_halves_is_told_what_to_do(net, images, dtype):
    with pytest.raises(XaibenchError, match=r"pass model.float\(\)"):
        explain(net.to(dtype), images)
    with pytest.raises(XaibenchError, match="choose one of fp32, tf32, bf16, fp16"):
        Explainer(net.float(), precision="float16")(images)


def test_adapters_read_the_same_layer_whatever_is_asked_beside_them():
    torch.manual_seed(0)
    network = torchvision.models.swin_transformer.SwinTransformer(
        patch_size=[4, 4], embed_dim=16, depths=[2, 2], num_heads=[2, 2], window_size=[4, 4],
        num_classes=3,
    )  # fmt: skip
    pictures = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    alone = explain(network, pictures, 1, "gradcam_lib")
    beside = explain(network, pictures, 1, ["gradcam", "gradcam_lib"])
    torch.testing.assert_close(alone["gradcam_lib"], beside["gradcam_lib"])
    torch.testing.assert_close(beside["gradcam"], beside["gradcam_lib"], rtol=0, atol=1e-4)


def test_tensors_that_belong_to_a_graph_are_taken_like_others(net, images):
    leaves = images.clone().requires_grad_()
    maps = explain(net, leaves, 1)["gradcam"]
    masks = torch.zeros(maps.shape, dtype=torch.bool)
    masks[:, 3:9, 4:15] = True
    metrics = ["iou_area", "road[fractions=0.5]", "drop_in_confidence"]
    ours = score((maps * leaves.sum()) / leaves.sum(), masks, metrics, model=net, images=leaves)
    theirs = score(maps, masks, metrics, model=net, images=images)
    assert (ours["status"] == "ok").all()
    np.testing.assert_allclose(ours["value"], theirs["value"], atol=1e-5)


def test_a_network_without_spatial_layers_is_told(images):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * HEIGHT * WIDTH, 2))
    with pytest.raises(XaibenchError, match="no layer has a map"):
        explain(network, images)


def test_one_class_for_all_equals_a_class_for_each(net, images):
    for_all = explain(net, images, 1)["gradcam"]
    for each in (torch.tensor([1, 1, 1]), [1, 1, 1], np.array([1, 1, 1])):
        assert torch.equal(explain(net, images, each)["gradcam"], for_all)
    assert not torch.equal(explain(net, images, 2)["gradcam"], for_all)


def test_without_targets_the_prediction_is_explained(net, images):
    predicted = net.eval()(images).argmax(dim=1)
    maps = explain(net, images)["gradcam"]
    assert torch.equal(maps, explain(net, images, predicted)["gradcam"])
    assert not torch.equal(maps, explain(net, images, (predicted + 1) % CLASSES)["gradcam"])


@pytest.mark.parametrize("targets", [3, -1, [0, 1], [0, 1, 3], [[0, 1, 2]]], ids=str)
def test_targets_that_are_no_classes_are_refused(net, images, targets):
    with pytest.raises(XaibenchError, match="targets must be 3 classes from 0 to 2"):
        explain(net, images, targets)


def test_images_of_another_form_are_refused(net, images):
    for wrong in (images[0], images[:0]):
        with pytest.raises(XaibenchError, match=r"images must be \(B, C, H, W\)|there is no image"):
            explain(net, wrong)


@pytest.mark.parametrize("name", ["spn", "oracle", "average_mask"])
def test_a_method_that_the_model_cannot_serve_is_refused(net, images, name):
    with pytest.raises(XaibenchError, match=f"method {name} needs"):
        explain(net, images, methods=[name])


def test_maps_are_of_the_images_size_and_range_and_follow_the_seed(net, images):
    maps = explain(net, images, methods=["gradcam", "random", "sobel"])
    for values in maps.values():
        assert (values.shape, values.dtype) == ((3, HEIGHT, WIDTH), torch.float32)
        assert values.min() >= 0
        assert values.max() <= 1
    again = explain(net, images, methods=["random"])["random"]
    assert torch.equal(maps["random"], again)
    assert not torch.equal(again, explain(net, images, methods=["random"], seed=1)["random"])


@pytest.mark.slow
def test_the_model_is_left_as_it_was(net, images):
    net[1].eval()
    net[0].weight.requires_grad_(requires_grad=False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [part.training for part in net.modules()]
    more = OWN_WORDS | ATTENTION_WORDS | TRAINING_WORDS | {ATTENTION}
    plain = [p for p in plugins("method").values() if not more & set(p.asked)]
    explain(net, images, methods=[p.name for p in plain if p.traits.family != "control"])
    score(torch.rand(3, HEIGHT, WIDTH), torch.ones(3, HEIGHT, WIDTH), ["drop_in_confidence"],
          model=net, images=images)  # fmt: skip
    assert [part.training for part in net.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert [p.requires_grad for p in net.parameters()] == [False] + [True] * 7
    assert not any(part._forward_hooks or part._backward_hooks for part in net.modules())
    assert not images.requires_grad


def test_score_gives_a_row_for_each_map_and_metric():
    maps, masks = torch.cat([HALF, HALF.flip(2)]), LEFT.repeat(2, 1, 1)
    frame = score(maps, masks, ["iou", "hit_rate"])
    assert list(frame.columns) == ["map", "metric", "value", "status"]
    found = frame.set_index(["map", "metric"])["value"]
    assert len(frame) == 4
    assert found[0, "iou"] == pytest.approx(2 / 3)
    assert found[1, "iou"] == 0
    assert (found[0, "hit_rate"], found[1, "hit_rate"]) == (1, 0)
    assert set(frame["status"]) == {"ok"}


def test_numpy_and_boolean_masks_score_the_same():
    plain = score(HALF, LEFT)
    pd.testing.assert_frame_equal(plain, score(HALF.numpy(), LEFT.numpy() > 0))
    pd.testing.assert_frame_equal(plain, score(HALF, LEFT.float()))


@pytest.mark.parametrize("masks", [LEFT * 255, LEFT * 0.5, LEFT * math.nan], ids=repr)
def test_masks_that_are_no_grades_are_refused(masks):
    with pytest.raises(XaibenchError, match="pass masks > 0"):
        score(HALF, masks)


def test_an_empty_mask_is_undefined_and_says_so():
    frame = score(HALF, torch.zeros_like(LEFT), ["iou", "hit_rate"])
    assert frame["value"].isna().all()
    assert set(frame["status"]) == {"empty mask"}


@pytest.mark.parametrize(
    ("maps", "masks"),
    [(HALF, LEFT[:, :, :3]), (HALF[0], LEFT[0]), (HALF, LEFT.transpose(1, 2)),
     (HALF[:0], LEFT[:0])],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(maps, masks):
    with pytest.raises(XaibenchError, match=r"both be \(B, H, W\)"):
        score(maps, masks)


@pytest.mark.parametrize("maps", [HALF * 2, HALF - 0.5])
def test_maps_outside_0_to_1_are_refused(maps):
    with pytest.raises(XaibenchError, match=r"must lie in \[0, 1\]"):
        score(maps, LEFT)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_map_that_is_not_finite_is_marked_and_spoils_no_other(bad):
    spoilt = HALF.clone()
    spoilt[0, 0, 3] = bad
    frame = score(torch.cat([spoilt, HALF]), LEFT.repeat(2, 1, 1), ["iou"])
    assert list(frame["status"]) == ["non-finite map", "ok"]
    assert frame["value"][0] == 0
    assert frame["value"][1] == pytest.approx(2 / 3)


def test_faithfulness_needs_model_and_images(net, images):
    maps, masks = torch.rand(3, HEIGHT, WIDTH), torch.ones(3, HEIGHT, WIDTH)
    for given in ({}, {"model": net}, {"images": images}):
        with pytest.raises(XaibenchError, match="drop_in_confidence needs model= and images="):
            score(maps, masks, ["iou", "drop_in_confidence"], **given)


def test_localization_asks_no_model_for_anything(net):
    pd.testing.assert_frame_equal(score(HALF, LEFT, ["iou"], model=net), score(HALF, LEFT, ["iou"]))


def test_images_of_another_size_are_refused(net, images):
    maps = torch.rand(3, WIDTH, HEIGHT)
    with pytest.raises(XaibenchError, match="of the maps' size"):
        score(maps, torch.ones_like(maps), ["drop_in_confidence"], model=net, images=images)


@pytest.mark.parametrize("targets", [None, 1, [2, 0, 1]], ids=str)
def test_faithfulness_equals_direct_computation(net, images, targets):
    maps = explain(net, images, 0)["gradcam"]
    frame = score(
        maps,
        torch.ones_like(maps),
        ["drop_in_confidence", "increase_in_confidence[covered=important]"],
        model=net.train(),
        images=images,
        targets=targets,
    )
    net.eval()
    with torch.no_grad():
        whole = net(images).softmax(dim=1)
        kept = net(images * maps[:, None]).softmax(dim=1)
        lost = net(images * (1 - maps[:, None])).softmax(dim=1)
    chosen = whole.argmax(dim=1) if targets is None else torch.as_tensor(targets).expand(3)
    rows = torch.arange(3)
    before, after = whole[rows, chosen], kept[rows, chosen]
    drop = ((before - after).clamp(min=0) / before).numpy()
    by_metric = frame.groupby("metric")["value"]
    np.testing.assert_allclose(by_metric.get_group("drop_in_confidence"), drop, atol=1e-5)
    increase = by_metric.get_group("increase_in_confidence[covered=important]")
    np.testing.assert_array_equal(increase, (lost[rows, chosen] > before).float())


@pytest.mark.slow
def test_a_run_from_python_returns_scores_and_board_and_leaves_random_numbers_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    results = xaibench.run(
        dataset="phantom[images=40]", models="squeezenet1_1", methods="gradcam", metrics=["iou"],
        controls=False, epochs=1, image_size=48, weights="none", device="cpu", out=tmp_path,
    )  # fmt: skip
    assert torch.equal(torch.rand(2), expected)
    assert results.out == tmp_path
    assert results.failures == {}
    assert list(results.leaderboard["method"]) == ["gradcam"]
    mean = results.scores["value"].mean()
    assert results.leaderboard["iou"].item() == pytest.approx(mean, nan_ok=True)
    pd.testing.assert_frame_equal(xaibench.load_scores(tmp_path), results.scores)


def test_scores_of_a_folder_without_a_run_are_an_error(tmp_path):
    with pytest.raises(XaibenchError, match="no such file; name the --out folder"):
        xaibench.load_scores(tmp_path)


def test_arrays_and_comma_lists_are_taken_as_tensors_and_lists_are(net, images):
    maps = xaibench.explain(net, images.numpy(), 1, methods="gradcam,sobel")
    again = xaibench.explain(net, images, [1, 1, 1], methods=["gradcam", "sobel"])
    assert list(maps) == ["gradcam", "sobel"]
    assert all(torch.equal(maps[name], again[name]) for name in maps)
    masks = np.zeros((3, HEIGHT, WIDTH), bool)
    masks[:, 3:9, 5:20] = True
    frame = xaibench.score(maps["sobel"].numpy(), masks, metrics="iou,hit_rate")
    assert list(frame["metric"].unique()) == ["iou", "hit_rate"]


def test_gradients_need_no_grad_mode_of_the_caller(net, images):
    expected = explain(net, images, 1)["gradcam"]
    with torch.no_grad():
        assert torch.equal(explain(net, images, 1)["gradcam"], expected)
    with torch.inference_mode():
        assert torch.equal(explain(net, images, 1)["gradcam"], expected)


def test_double_arrays_take_the_type_of_the_network(net, images):
    maps = explain(net, images.double().numpy(), 1)["gradcam"]
    assert torch.equal(maps, explain(net, images, 1)["gradcam"])


@pytest.mark.parametrize("targets", ["cat", [0.5, 1.5, 0.0]])
def test_targets_that_are_no_whole_numbers_are_refused(net, images, targets):
    with pytest.raises(XaibenchError, match="targets must be"):
        explain(net, images, targets)


def test_whole_number_images_other_models_and_dictionaries_of_maps_are_refused(net, images):
    with pytest.raises(XaibenchError, match="images must be floats"):
        explain(net, (images * 255).to(torch.uint8), 1)
    with pytest.raises(XaibenchError, match=r"must be a torch\.nn\.Module"):
        explain(lambda x: x, images, 1)
    with pytest.raises(XaibenchError, match=r"such as maps\['gradcam'\]"):
        score(explain(net, images, 1), torch.zeros(3, HEIGHT, WIDTH))


def test_a_model_that_does_not_classify_is_explained_without_a_target():
    class Halves(xaibench.Model):
        classifies = False

        @property
        def abilities(self):
            return frozenset({"class_maps"})

        def outputs(self, images, **_):
            maps = torch.zeros(len(images), 3, *images.shape[2:])
            maps[:, 0], maps[:, 2, :, 3:] = 0.25, 0.5
            return xaibench.Outputs(images.new_zeros(len(images), 0), class_maps=maps)

    model, images = Halves(cam_layer=None), torch.rand(2, 3, 4, 7)
    maps = xaibench.explain(model, images, methods=["segmentation"])["segmentation"]
    torch.testing.assert_close(maps, torch.full((2, 4, 7), 0.75))
    chosen = xaibench.explain(model, images, targets=1, methods="segmentation[of=target]")
    wanted = torch.zeros(2, 4, 7)
    wanted[:, :, 3:] = 0.5
    torch.testing.assert_close(chosen["segmentation[of=target]"], wanted)
    with pytest.raises(
        XaibenchError, match="gradcam explains a classifier, which this model is not"
    ):
        xaibench.explain(model, images, targets=1, methods="gradcam")
