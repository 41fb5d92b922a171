import pytest

from xaibench.core.errors import XaibenchError
from xaibench.setup.options import RunOptions, make_options
from xaibench.setup.selection import select


def test_what_is_given_beats_the_recipe_and_the_recipe_the_default():
    options = make_options({"epochs": 7}, {"epochs": 5, "image_size": 96})
    assert (options.epochs, options.image_size, options.limit) == (7, 96, RunOptions.limit)


def test_none_means_not_given():
    assert make_options({"epochs": None}, {"epochs": 5}).epochs == 5


def test_a_dataset_brings_its_recipe():
    assert select({"dataset": "phantom"}).options.image_size == 96
    assert select({"dataset": "phantom", "image_size": 64}).options.image_size == 64


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"methods": "gradcam, spn"}, ("gradcam", "spn")),
        ({"models": "resnet50,saliency_net[backbone=resnet18,loss=dice]"},
         ("resnet50", "saliency_net[backbone=resnet18,loss=dice]")),
        ({"metrics": ["iou[threshold=0.3]", "iou"]}, ("iou[threshold=0.3]", "iou")),
        ({"seeds": "0,1,2"}, (0, 1, 2)),
        ({"seeds": 5}, (5,)),
        ({"seeds": range(3)}, (0, 1, 2)),
    ],
)  # fmt: skip
def test_lists_come_as_text_as_lists_or_as_one_value(given, expected):
    (name,) = given
    assert getattr(make_options(given, {}), name) == expected


@pytest.mark.parametrize("written", [str, lambda path: path, lambda path: [path]])
def test_a_plugin_file_may_be_one_path(plugin_file, written):
    selection = select({"dataset": "bare", "plugin": written(plugin_file), "weights": "none"})
    assert selection.options.plugin == (str(plugin_file),)


@pytest.mark.parametrize(
    ("given", "recipe"), [({"epoch": 3}, {}), ({}, {"epoch": 3})], ids=["given", "recipe"]
)
def test_an_unknown_option_gets_a_hint(given, recipe):
    with pytest.raises(XaibenchError, match=r"no option 'epoch' \(did you mean 'epochs'\?\)"):
        make_options(given, recipe)


@pytest.mark.parametrize(
    "given",
    [
        {"mask_fraction": -0.1},
        {"mask_fraction": 1.01},
        {"mask_fraction": float("nan")},
        {"epochs": 0},
        {"epochs": 2.5},
        {"epochs": "many"},
        {"epochs": True},
        {"epochs": float("inf")},
        {"train_batch_size": 1},
        {"train_batch_size": 6, "replicas": 4},
        {"image_size": 31},
        {"batch_size": 0},
        {"limit": -1},
        {"replicas": 0},
        {"split_seed": -1},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"device": "tpu"},
        {"controls": "maybe"},
        {"controls": 2},
        {"weights": "no/such/file.pth"},
        {"methods": ()},
        {"models": ""},
        {"metrics": []},
        {"seeds": ()},
        {"seeds": "a"},
        {"seeds": 0.5},
        {"methods": ("spn", "spn")},
        {"seeds": (1, 1)},
    ],
    ids=str,
)
def test_a_value_out_of_range_is_refused_by_its_flag(given):
    flag = "--" + next(iter(given)).replace("_", "-")
    with pytest.raises(XaibenchError, match=f"^{flag}"):
        make_options(given, {})


@pytest.mark.parametrize(
    "given",
    [{"mask_fraction": 0}, {"mask_fraction": 1}, {"image_size": 32}, {"train_batch_size": 2},
     {"train_batch_size": 8, "replicas": 4}, {"limit": 0}, {"epochs": "3"}, {"epochs": 3.0}],
    ids=str,
)  # fmt: skip
def test_the_ends_of_a_range_are_allowed(given):
    make_options(given, {})


@pytest.mark.parametrize(("value", "meant"), [("false", False), ("True", True), (False, False)])
def test_a_switch_given_as_text_is_not_merely_truthy(value, meant):
    assert make_options({"controls": value}, {}).controls is meant


@pytest.mark.parametrize(
    "given",
    [{"metrics": "iou,iou[threshold=0.5]"}, {"methods": "gradcam,gradcam[]"},
     {"models": "resnet18,resnet18[]"}],
    ids=str,
)  # fmt: skip
def test_one_plugin_under_two_spellings_is_refused(given):
    with pytest.raises(XaibenchError, match=f"^--{next(iter(given))}: .* twice"):
        select({"dataset": "phantom", **given})


@pytest.mark.parametrize("split", ["kfold", "kfold:1", "kfold:x", "loo"])
def test_an_unknown_split_is_refused_by_its_flag(split):
    with pytest.raises(XaibenchError, match=r"^--split"):
        _ = select({"dataset": "phantom", "split": split}).folds


def test_a_list_of_one_may_be_called_so():
    assert make_options({"method": "gradcam", "seed": 3}, {}).methods == ("gradcam",)
    with pytest.raises(XaibenchError, match="both method and methods are given"):
        make_options({"method": "gradcam", "methods": ["spn"]}, {})
