"""Boxes, against scikit-image."""

import numpy as np
import pytest
import torch
from lesions import COUNT, HEIGHT, WIDTH, binary, score, whole
from scipy import ndimage
from skimage.measure import label, regionprops

from xaibench.core.boxes import boxes_of, jaccard_of_boxes
from xaibench.core.errors import XaibenchError
from xaibench.metrics.max_box_acc import max_box_acc

OVERLAPS = (0.2, 0.3, 0.5, 0.7)
VERSIONS = {"largest": 1, "all": 2}
# By the code of wsolevaluation (0c476cd) itself: maps, version and overlaps -> shares that fit.
WSOL = {
    (binary, 1): [1 / 2],
    (binary, 2): [1, 2 / 3, 1 / 4],
    ("lumpy", 1): [3 / 4],
    ("lumpy", 2): [11 / 12, 3 / 4, 5 / 12],
}


def parts_of(region):
    return [(each.area, each.bbox) for each in regionprops(label(region, connectivity=2))]


def painted(box):
    canvas = np.zeros((HEIGHT, WIDTH), bool)
    canvas[box[0] : box[2], box[1] : box[3]] = True
    return canvas


def fit(box, truths):
    ours = painted(box)
    shares = [(ours & painted(b)).sum() / (ours | painted(b)).sum() for _, b in truths]
    return max(shares)


def fits_by_hand(values, mask, thresholds, which):
    """One pass for each threshold: label, take boxes, paint them, count pixels."""
    truths, found = parts_of(mask > 0), np.zeros((len(OVERLAPS), thresholds))
    for step in range(1, thresholds + 1):
        parts = parts_of(values >= np.float32(step / thresholds) * values.max())
        most = max(area for area, _ in parts)
        chosen = [fit(box, truths) for area, box in parts if which == "all" or area == most]
        hits = np.array(chosen)[None] >= np.array(OVERLAPS)[:, None]
        found[:, step - 1] = hits.any(axis=1) if which == "all" else hits.mean(axis=1)
    return found


def lumpy():
    """Maps with parts of all sizes, in few steps or many; one is empty but for a few pixels."""
    maps, masks = binary()
    maps = torch.from_numpy(ndimage.gaussian_filter(maps.numpy(), (0, 1.2, 2.5)))
    maps[6:] = maps[6:] + 0.05 * binary()[0][6:]
    maps -= maps.amin(dim=(1, 2), keepdim=True)
    maps /= maps.amax(dim=(1, 2), keepdim=True)
    maps[1] = (maps[1] * 4).round() / 4
    maps[2] *= binary()[0][2] > 0.8
    return maps, masks


@pytest.mark.parametrize("which", ["largest", "all"])
@pytest.mark.parametrize("make", [binary, lumpy])
def test_every_threshold_of_every_image_fits_as_painted_boxes_do(make, which):
    maps, masks = make()
    version = VERSIONS[which]
    found = max_box_acc(
        maps, masks, overlaps=OVERLAPS, thresholds=20, version=version, convention="exact"
    )
    pairs = zip(maps.numpy(), masks.numpy(), strict=True)
    expected = np.stack([fits_by_hand(values, mask, 20, which) for values, mask in pairs])
    np.testing.assert_allclose(found[:, :-1].view(COUNT, len(OVERLAPS), 20), expected, rtol=1e-6)
    assert 0.01 < expected.mean() < 0.99
    best = expected.mean(axis=0).max(axis=1).mean()
    spec = f"max_box_acc[version={version},convention=exact,overlaps=0.2+0.3+0.5+0.7,thresholds=20]"
    assert whole(spec, maps, masks) == pytest.approx(best, rel=1e-6)


def test_equally_large_parts_share():
    maps, masks = torch.zeros(1, 5, 9), torch.zeros(1, 5, 9, dtype=torch.int8)
    maps[0, 0, 0:2] = maps[0, 2, 4:6] = maps[0, 4, 7:9] = 1
    masks[0, 2, 4:6] = 1
    found = max_box_acc(maps, masks, version=1, convention="exact", thresholds=2)
    torch.testing.assert_close(found, torch.tensor([[1 / 3, 1 / 3, 1.0]]))
    assert score("max_box_acc[convention=exact]", maps, masks) == 1


def test_boxes_end_behind_their_last_pixel_and_corners_connect():
    region = np.zeros((4, 7), bool)
    region[0, 1] = region[1, 2] = region[3, 5:] = True
    boxes = boxes_of(region)
    assert boxes.tolist() == [[0, 1, 2, 3], [3, 5, 4, 7]]
    shares = jaccard_of_boxes(boxes, np.array([[1, 2, 3, 4], [3, 5, 4, 7]]))
    np.testing.assert_allclose(shares, [[1 / 7, 0], [0, 1]])


@pytest.mark.slow
def test_the_best_threshold_is_one_for_all_images_and_each_overlap():
    maps, masks = lumpy()
    way = "version=1,convention=exact,thresholds=100"
    specs = [f"max_box_acc[{way},overlaps={overlap}]" for overlap in (0.3, 0.5, 0.7)]
    alone = [whole(spec, maps, masks) for spec in specs]
    assert alone == sorted(alone, reverse=True)
    together = f"max_box_acc[{way},overlaps=0.3+0.5+0.7]"
    assert whole(together, maps, masks) == pytest.approx(np.mean(alone), rel=1e-6)
    # These need a threshold of their own.
    maps[6:] = 0.2 * maps[6:] + 0.8
    single = score(together, maps, masks).mean()
    assert whole(together, maps, masks) < float(single) - 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("make", "version"), WSOL)
def test_the_convention_of_wsolevaluation_gives_what_its_code_gives(make, version):
    maps, masks = lumpy() if make == "lumpy" else make()
    found = whole(f"max_box_acc[version={version}]", maps, masks)
    assert found == pytest.approx(np.mean(WSOL[make, version]), abs=1e-6)


def test_holes_have_boxes_and_the_map_s_are_one_pixel_too_large():
    """Worked by hand: a ring of 5 x 5 around a hole of 3 x 3 pixels, whose outline is the ring."""
    maps, masks = torch.zeros(1, 9, 12), torch.zeros(1, 9, 12, dtype=torch.int8)
    maps[0, 1:6, 2:7] = 1
    maps[0, 2:5, 3:6] = 0
    masks[0, 1:6, 2:7] = 1
    for overlap, fits in ((25 / 36 - 1e-6, 1), (25 / 36 + 1e-6, 0)):
        spec = f"max_box_acc[version=1,overlaps={overlap}]"
        assert whole(spec, maps, masks) == fits
    masks[0, 1:6, 2:7] = 0
    masks[0, 2:5, 3:6] = 1  # of the hole's outline 9 of 36 pixels
    assert whole(f"max_box_acc[version=2,overlaps={9 / 36 - 1e-6}]", maps, masks) == 1


@pytest.mark.parametrize("options", ["thresholds=0", "overlaps=0.3+1.1", "overlaps=0"])
def test_other_options_are_refused(options):
    with pytest.raises(XaibenchError, match=r"^max_box_acc: 'overlaps' lie above 0"):
        score(f"max_box_acc[{options}]", *binary())
