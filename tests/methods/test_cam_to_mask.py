"""Maps as seeds of a segmentation."""

import numpy as np
import pytest
import torch

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import finish
from xaibench.methods.cam_to_mask import cam_to_mask
from xaibench.methods.gradcam import gradcam
from xaibench.methods.hirescam import hirescam
from xaibench.methods.layercam import layercam

ROWS, COLUMNS = 24, 32


def picture():
    """A bright box on dark ground, whose map covers its middle; a second image without a map."""
    torch.manual_seed(0)
    truth = torch.zeros(ROWS, COLUMNS, dtype=torch.bool)
    truth[6:17, 9:25] = True
    image = 0.3 + 0.4 * truth + 0.01 * torch.randn(ROWS, COLUMNS)
    activations = torch.zeros(2, 2, 3, 4)
    activations[0, 0, 1, 1:3], activations[0, 0, :, 0] = torch.tensor([1.0, 0.7]), 0.1
    gradients = torch.rand(2, 2, 3, 4)
    return truth, image[None, None].repeat(2, 3, 1, 1), activations, gradients


def test_the_map_is_that_of_the_method_it_is_named_after():
    _, images, _, gradients = picture()
    activations = torch.randn(2, 2, 3, 4)
    for method in (gradcam, hirescam, layercam):
        maps, _ = finish(method(activations, gradients), (ROWS, COLUMNS))
        # Where every pixel is a seed, the seeds are all that there is to see.
        found = cam_to_mask(
            images, activations, gradients, of=method.__name__, inside=0.5, outside=0.4999999
        )
        assert torch.equal(found > 0.5, maps >= 0.5)


def test_the_walker_s_chances_solve_the_laplacian():
    _, images, activations, gradients = picture()
    found = cam_to_mask(images, activations, gradients)
    heat, _ = finish(gradcam(activations, gradients), (ROWS, COLUMNS))
    heat, image = heat[0].flatten().numpy(), images[0].double().numpy()
    count = ROWS * COLUMNS
    index = np.arange(count).reshape(ROWS, COLUMNS)
    laplacian = np.zeros((count, count))
    beta = 130 / (10 * images[0].numpy().astype(float).std()) / 3**0.5
    for one, other in ((index[1:], index[:-1]), (index[:, 1:], index[:, :-1])):
        for a, b in zip(one.flat, other.flat, strict=True):
            step = image[:, a // COLUMNS, a % COLUMNS] - image[:, b // COLUMNS, b % COLUMNS]
            weight = np.exp(-beta * (step**2).sum()) + 1e-10
            laplacian[a, b] = laplacian[b, a] = -weight
    laplacian -= np.diag(laplacian.sum(axis=1))
    inside, free = heat >= 0.8, (heat < 0.8) & (heat >= 0.2)
    expected = inside.astype(float)
    sources = -laplacian[np.ix_(free, inside)].sum(axis=1)
    expected[free] = np.linalg.solve(laplacian[np.ix_(free, free)], sources)
    np.testing.assert_allclose(found[0].flatten().numpy(), expected, atol=1e-3)
    assert not found[1].any()


def test_a_cut_keeps_to_the_colors_of_both_sides():
    truth, images, activations, gradients = picture()
    found = cam_to_mask(images, activations, gradients, by="grabcut", inside=0.7, outside=0.02)[0]
    heat, _ = finish(gradcam(activations, gradients), (ROWS, COLUMNS))
    free = (heat[0] >= 0.02) & (heat[0] < 0.7)
    assert 50 < (free & truth).sum() < free.sum() - 50
    assert torch.equal(found[free] == 1, truth[free])
    assert torch.equal(found, cam_to_mask(images, activations, gradients, by="grabcut",
                                          inside=0.7, outside=0.02)[0])  # fmt: skip


def test_seeds_that_overlap_are_refused():
    _, images, activations, gradients = picture()
    with pytest.raises(XaibenchError, match="outside < inside"):
        cam_to_mask(images, activations, gradients, inside=0.2, outside=0.5)


@pytest.fixture
def sam_folder(tmp_path):
    """A SAM of random numbers, a few thousand of them."""
    library = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = library.SamConfig(
        vision_config={"hidden_size": 8, "output_channels": 8, "num_hidden_layers": 1,
                       "num_attention_heads": 2, "image_size": 64, "patch_size": 16,
                       "global_attn_indexes": [0], "window_size": 2, "num_pos_feats": 4,
                       "mlp_dim": 8},
        prompt_encoder_config={"hidden_size": 8, "image_size": 64, "patch_size": 16,
                               "mask_input_channels": 4, "image_embedding_size": 4},
        mask_decoder_config={"hidden_size": 8, "mlp_dim": 8, "num_hidden_layers": 1,
                             "num_attention_heads": 2, "iou_head_hidden_dim": 8,
                             "attention_downsample_rate": 2},
    )  # fmt: skip
    library.SamModel(config).save_pretrained(tmp_path)
    prepare = library.SamImageProcessor(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16}, mask_pad_size={"height": 16, "width": 16},
    )  # fmt: skip
    prepare.save_pretrained(tmp_path)
    return library, tmp_path


@pytest.mark.slow  # transformers take seconds to import
def test_sam_is_asked_for_what_lies_in_the_box_around_the_map(sam_folder):
    library, folder = sam_folder
    _, images, activations, gradients = picture()
    found = cam_to_mask(images, activations, gradients, by="sam", sam=str(folder))
    heat = finish(gradcam(activations, gradients), (ROWS, COLUMNS))[0][0]
    rows, columns = torch.where(heat >= 0.5)
    box = [columns.min(), rows.min(), columns.max(), rows.max()]
    peak = [[int(heat.argmax()) % COLUMNS, int(heat.argmax()) // COLUMNS]]
    prepare = library.SamProcessor.from_pretrained(folder)
    asked = prepare(
        (255 * images[0]).round().byte(), input_boxes=[[[float(side) for side in box]]],
        input_points=[[peak]], return_tensors="pt",
    )  # fmt: skip
    network = library.SamModel.from_pretrained(folder).eval()
    sizes = asked.pop("original_sizes"), asked.pop("reshaped_input_sizes")
    with torch.no_grad():
        logits = network(**asked, multimask_output=False).pred_masks
    (mask,) = prepare.image_processor.post_process_masks(logits, *sizes, binarize=False)
    torch.testing.assert_close(found[0], mask[0, 0].sigmoid(), atol=2e-2, rtol=0)
    assert found[0].std() > 0
    assert not found[1].any()


@pytest.mark.slow
def test_a_sam_that_is_not_there_is_refused_in_a_sentence(tmp_path):
    _, images, activations, gradients = picture()
    with pytest.raises(XaibenchError, match=r"\[by=sam\]: .* can't be loaded .*by=grabcut\.$"):
        cam_to_mask(images, activations, gradients, by="sam", sam=str(tmp_path / "none"))
