import math
import pickle

import numpy as np
import pytest
from scipy import ndimage

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind
from xaibench.datasets import phantom as module
from xaibench.datasets.phantom import phantom

EIGHT_NEIGHBORS = np.ones((3, 3))


def pictures(**options):
    data = phantom(**options)
    return {sample.id: data.read(sample) for sample in data.samples}


def same(one, other):
    return np.array_equal(one.image, other.image) and np.array_equal(one.mask, other.mask)


@pytest.fixture(autouse=True, scope="module")
def _drawn_each_time():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_draw", module._draw.__wrapped__)
        yield


@pytest.fixture(scope="module")
def plain():
    return pictures(images=60)


@pytest.fixture(scope="module")
def marked():
    return pictures(images=60, shortcut=0.8)


@pytest.fixture(scope="module")
def markers():
    return pictures(images=60, shortcut=0.8, mask="marker")


@pytest.mark.slow
def test_two_constructions_are_equal(plain):
    data = phantom(images=60)
    assert all(same(data.read(sample), plain[sample.id]) for sample in data.samples[::4])


def test_pixels_depend_neither_on_order_nor_on_global_state(plain):
    data = phantom(images=60)
    for step, sample in enumerate(reversed(data.samples[::4])):
        np.random.seed(step)
        assert same(data.read(sample), plain[sample.id])


def test_drawing_leaves_global_random_state_alone():
    before = np.random.get_state()[1].copy()
    pictures(images=4, shortcut=0.5)
    assert np.array_equal(before, np.random.get_state()[1])


def test_travels_to_another_process(plain):
    data = pickle.loads(pickle.dumps(phantom(images=60)))
    assert same(data.read(data.samples[7]), plain[data.samples[7].id])


def test_a_picture_depends_on_its_own_number_only(plain):
    other = pictures(images=30, balance=0.3)
    assert len(other) == 30
    assert all(same(plain[name], other[name]) for name in other)


def test_seeds_and_samples_differ(plain):
    others = pictures(images=60, seed=1)
    assert not any(same(plain[name], others[name]) for name in plain)
    assert len({picture.image.tobytes() for picture in plain.values()}) == 60


def test_images_are_gray_uint8_of_many_sizes_wider_than_high(plain):
    sizes = {picture.image.shape[:2] for picture in plain.values()}
    assert len(sizes) > 50
    assert sum(height != width for height, width in sizes) > 50
    for image, mask, _ in plain.values():
        assert image.dtype == np.uint8
        assert image.shape == (*mask.shape, 3)
        assert np.ptp(image, axis=2).max() == 0
        assert image.std() > 10


def test_mask_is_one_region_inside_the_image(plain):
    for _, mask, _ in plain.values():
        assert mask.dtype == np.int8
        assert set(np.unique(mask)) == {0, 1}
        assert 0.03 <= mask.mean() <= 0.18
        assert ndimage.label(mask, EIGHT_NEIGHBORS)[1] == 1
        assert mask.sum() == mask[1:-1, 1:-1].sum()


def test_mask_covers_what_is_darker_than_its_surroundings(plain):
    for name, (image, mask, _) in plain.items():
        near = ndimage.binary_dilation(mask, iterations=9)
        ring = near & ~ndimage.binary_dilation(mask, iterations=3)
        assert image[mask == 1].mean() < image[ring].mean() - 15, name


def test_darkest_place_is_not_the_answer(plain):
    def hit(picture):
        smooth = ndimage.gaussian_filter(picture.image[..., 0].astype(float), 2)
        return picture.mask.flat[smooth.argmin()] == 1

    assert np.mean([hit(picture) for picture in plain.values()]) < 0.6


def test_border_tells_the_classes_apart(plain):
    def roughness(mask):
        border = mask.astype(bool) & ~ndimage.binary_erosion(mask)
        return border.sum() / math.sqrt(mask.sum())

    smooth = [roughness(picture.mask) for name, picture in plain.items() if "benign" in name]
    rough = [roughness(picture.mask) for name, picture in plain.items() if "malignant" in name]
    assert np.quantile(smooth, 0.95) < np.quantile(rough, 0.05)


@pytest.mark.parametrize("statistic", [lambda p: p.image.mean(), lambda p: p.mask.mean()])
def test_global_statistics_do_not_tell_the_classes_apart(plain, statistic):
    values = np.array([statistic(picture) for picture in plain.values()])
    malignant = np.array(["malignant" in name for name in plain])
    wins = (values[malignant, None] > values[None, ~malignant]).mean()
    assert 0.3 < wins < 0.7


@pytest.mark.parametrize(("balance", "malignant"), [(0.5, 50), (0.2, 20), (0.9, 90)])
def test_balance_is_the_share_of_malignant_images(balance, malignant):
    data = phantom(images=100, balance=balance)
    assert data.classes == ("benign", "malignant")
    assert sum(sample.label for sample in data.samples) == malignant
    assert all(sample.id.startswith(data.classes[sample.label]) for sample in data.samples)
    assert data.annotated


def test_ten_thousand_samples_hold_no_pixels():
    data = phantom(images=10_000)
    assert data.samples[4999].id == "benign/5000"
    assert len(pickle.dumps(data)) < 2_000_000


@pytest.mark.slow
def test_shortcut_agrees_with_the_class_as_often_as_told():
    data = phantom(images=160, shortcut=0.8, mask="marker")
    shown = np.array([data.read(sample).mask.any() for sample in data.samples])
    labels = np.array([sample.label for sample in data.samples])
    assert abs(shown[labels == 1].mean() - 0.8) < 0.12
    assert abs(shown[labels == 0].mean() - 0.2) < 0.12


def test_full_shortcut_gives_the_class_away():
    for name, picture in pictures(images=40, shortcut=1.0, mask="marker").items():
        assert picture.mask.any() == name.startswith("malignant")


@pytest.mark.slow
def test_marker_keeps_off_the_lesion(plain, markers):
    for name, (_, marker, _) in markers.items():
        near = ndimage.binary_dilation(marker, EIGHT_NEIGHBORS, iterations=3)
        assert not (near & (plain[name].mask == 1)).any()


@pytest.mark.slow
def test_every_sample_finds_room_for_its_marker():
    # Marked with probability 1: the malignant, whose spikes reach farthest.
    data = phantom(images=100, balance=0.98, shortcut=1.0, mask="marker")
    assert all(data.read(sample).mask.sum() > 50 for sample in data.samples if sample.label)


@pytest.mark.slow
def test_shortcut_changes_the_markers_pixels_and_no_others(plain, marked, markers):
    for name, (image, mask, _) in plain.items():
        marker = markers[name].mask == 1
        changed = (image != marked[name].image).any(axis=2)
        assert not changed[~marker].any()
        assert np.array_equal(mask, marked[name].mask)
        assert np.array_equal(marked[name].image, markers[name].image)
        assert (marked[name].image[marker] > 230).all()


def test_spec_on_the_command_line_sets_options():
    bound = bind("dataset", "phantom[shortcut=0.9,mask=marker,images=8]")
    assert bound.spec == "phantom[images=8,mask=marker,shortcut=0.9]"
    assert len(bound({}).samples) == 8


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"images": 3}, "images=3"),
        ({"images": -1}, "images=-1"),
        ({"balance": 0.0}, "balance=0.0"),
        ({"balance": 1.0}, "balance=1.0"),
        ({"balance": math.nan}, "balance=nan"),
        ({"images": 10, "balance": 0.05}, "balance=0.05"),
        ({"shortcut": -0.1}, "shortcut=-0.1"),
        ({"shortcut": 1.1}, "shortcut=1.1"),
        ({"shortcut": math.nan}, "shortcut=nan"),
        ({"mask": "marker"}, "mask=marker"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_options_out_of_range_are_named(options, named):
    with pytest.raises(XaibenchError, match=f"phantom\\[{named}\\]"):
        phantom(**options)


def test_layers_grade_the_lesion_its_rims_and_the_deepest_tissue():
    lesions, layers = pictures(images=6), pictures(images=6, mask="layers")
    for name, picture in layers.items():
        lesion, grades = lesions[name].mask, picture.mask
        assert grades.shape == lesion.shape
        assert grades.shape[0] != grades.shape[1]
        assert ((grades == 3) == (lesion == 1)).all()
        rows, columns = lesion.nonzero()
        column = columns[rows.argmin()]
        assert grades[rows.min() - 5, column] == 2
        assert grades[rows.min() - 15, column] == 1
        corner = grades[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert corner.tolist() == [0, 0, -1, -1]
