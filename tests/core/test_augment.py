import numpy as np
import pytest
import torch
from torch.nn import functional

from xaibench.core.augment import augment

COUNT, HEIGHT, WIDTH = 8, 48, 72
SEEDS = range(COUNT)


def marked():
    """Return masks of asymmetric regions with grades -1 to 3, and images that show them."""
    masks = torch.zeros(COUNT, HEIGHT, WIDTH, dtype=torch.int8)
    for row in range(COUNT):
        masks[row, 8 + row : 30, 20:58] = 1
        masks[row, 12 + row : 20, 24:40] = 3
        masks[row, 30:40, 50:60] = -1
    images = (masks > 0).float()[:, None].repeat(1, 3, 1, 1)
    return images, masks


def test_image_and_mask_move_together_to_less_than_half_a_pixel():
    images, masks = marked()
    moved_images, moved_masks = augment(0.6 * images, masks, SEEDS)
    for before, image, mask in zip(masks, moved_images, moved_masks, strict=True):
        gray = image.mean(dim=0)
        shown = gray > (gray.min() + gray.max()) / 2
        assert (shown != (mask > 0)).float().mean() < 0.002
        assert not torch.equal(mask, before)


def test_jitter_changes_colors_alone():
    colors = torch.rand(COUNT, 3, 1, 1, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2
    images, masks = colors.expand(-1, -1, HEIGHT, WIDTH), marked()[1]
    moved, _ = augment(images, masks, SEEDS)
    middle = moved[:, :, 20:28, 32:40]
    assert (middle.flatten(2).std(dim=2) < 1e-5).all()
    assert ((middle.mean(dim=(2, 3)) - colors[:, :, 0, 0]).abs().amax(dim=1) > 1e-3).all()


def test_the_same_seed_gives_the_same_change_and_another_another():
    images, masks = marked()
    first, second, other = (augment(images, masks, seeds) for seeds in (SEEDS, SEEDS, [9] * COUNT))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not any(torch.equal(*pair) for pair in zip(first[1], other[1], strict=True))


def test_an_image_changes_alike_in_any_batch():
    images, masks = marked()
    whole_images, whole_masks = augment(images, masks, SEEDS)
    for row in (0, 5):
        one = slice(row, row + 1)
        image, mask = augment(images[one], masks[one], SEEDS[one])
        torch.testing.assert_close(image[0], whole_images[row])
        assert torch.equal(mask[0], whole_masks[row])


def test_values_stay_in_range_and_grades_stay_grades():
    images, masks = marked()
    moved_images, moved_masks = augment(images, masks, SEEDS)
    assert moved_images.min() >= 0
    assert moved_images.max() <= 1
    assert moved_images.dtype == images.dtype
    assert moved_masks.dtype == torch.int8
    assert set(moved_masks.unique().tolist()) == {-1, 0, 1, 3}


def test_what_is_augmented_is_not_overwritten():
    images, masks = marked()
    augment(images, masks, SEEDS)
    assert torch.equal(images, marked()[0])
    assert torch.equal(masks, marked()[1])


@pytest.fixture(scope="module")
def geometry():
    """Return the affine maps (output to input) of many draws, measured with a coordinate image."""
    count, size = 300, 32
    masks = torch.zeros(count, size, size, dtype=torch.int8)
    identity = torch.eye(2, 3).expand(count, -1, -1)
    grid = functional.affine_grid(identity, [count, 2, size, size], align_corners=False)
    coordinates = (grid.movedim(3, 1) + 3) / 8
    constant = torch.full_like(coordinates[:, :1], 0.5)
    images = torch.cat([coordinates, constant], dim=1)
    matrices = []
    for seed in range(count):
        one = slice(seed, seed + 1)
        shown = torch.from_numpy(_unjittered(images[one], masks[one], seed))
        matrices.append(_fit(shown))
    return np.stack(matrices)


def _unjittered(image, mask, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xaibench.core.augment._recolor", lambda images, _: images)
        return augment(image, mask, [seed])[0][0].numpy()


def _fit(shown):
    size = shown.shape[1]
    middle = slice(size // 2 - 4, size // 2 + 4)
    steps = (torch.arange(size) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(steps[middle], steps[middle], indexing="ij")
    inputs = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(-1, 3)
    outputs = (shown[:2, middle, middle] * 8 - 3).flatten(1).T
    return torch.linalg.lstsq(inputs, outputs).solution.T.numpy()


def test_crops_take_three_quarters_to_all_of_the_area(geometry):
    areas = np.abs(np.linalg.det(geometry[:, :, :2]))
    assert 0.65 < areas.min() < 0.78
    assert 0.95 < areas.max() <= 1 + 1e-4


def test_both_flips_and_their_absence_occur(geometry):
    signs = np.sign(np.linalg.det(geometry[:, :, :2]))
    turned = geometry[:, 0, 0] < 0
    shares = [np.mean((signs > 0) == a) for a in (True,)] + [np.mean(turned)]
    assert all(0.4 < share < 0.6 for share in shares)


def test_rotations_reach_45_degrees_either_way(geometry):
    horizontal = geometry[:, :, 0]
    angles = np.degrees(np.arctan2(horizontal[:, 1], horizontal[:, 0]))
    angles = (angles + 90) % 180 - 90
    assert -45.1 < angles.min() < -40
    assert 40 < angles.max() < 45.1
