"""Images of another size than first weights learned from: noted, and positions interpolated."""

import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.backbone import build_network
from xaibench.core.registry import bind
from xaibench.setup.building import ModelWords, build_model
from xaibench.setup.model_warnings import notes_on_size

TINY = "timm/test_vit"


def test_a_plan_notes_images_of_another_size_than_the_weights_have_seen():
    cases = {
        ("resnet18", "imagenet", 224): "",
        ("resnet18", "none", 96): "",
        ("small_resnet", "imagenet", 96): "",
        ("resnet18[checkpoint=x.pth]", "imagenet", 96): "",
        ("inception_v3", "imagenet", 224): "images of 299 x 299; the run's are 224 x 224",
        ("timm/tf_efficientnet_lite0", "x.pth", 96): "it may be less accurate; --image-size 224",
        (TINY, "imagenet", 96): f"{TINY}: the first weights of {TINY} come from images of "
        "160 x 160; the run's are 96 x 96, so that its position embeddings are interpolated",
        (f"saliency_net[backbone={TINY}]", "x.pth", 96): f"{TINY}]: the first weights of {TINY}",
    }
    wrong = {}
    for (spec, weights, size), said in cases.items():
        notes = "; ".join(notes_on_size(bind("model", spec), weights, size))
        if not (said in notes if said else notes == ""):
            wrong[spec, weights, size] = notes
    assert not wrong


def test_a_files_positions_are_interpolated_as_timm_does(tmp_path):
    torch.manual_seed(0)
    given = timm.create_model("test_vit", num_classes=3)
    state = {f"_orig_mod.{key}": value for key, value in given.state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    own = build_network(TINY, 3, str(tmp_path / "w.pth"), 96).state_dict()
    expected = given.state_dict()
    cells = 96 // 16, 96 // 16
    expected["pos_embed"] = resample_abs_pos_embed(given.pos_embed, cells, num_prefix_tokens=1)
    differ = [key for key in own if not torch.allclose(own[key], expected[key])]
    assert not differ
    words = ModelWords(("a", "b", "c"), 96)
    with pytest.raises(XaibenchError, match="pos_embed; choose the --image-size that it has"):
        build_model(bind("model", f"{TINY}[checkpoint={tmp_path / 'w.pth'}]"), words)
