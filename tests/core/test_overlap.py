import pytest
import torch

from xaibench.core.overlap import binarize, jaccard, jaccard_curve
from xaibench.metrics.jaccard_by_grade import jaccard_by_grade

THRESHOLDS = tuple(step / 20 for step in range(1, 21))


def case():
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(6, 17, 29, generator=generator)
    maps[1] *= 0.3
    maps[2] = (maps[2] * 20).round() / 20  # many values are exactly at a threshold
    maps[3] = 0
    truth = torch.zeros(6, 17, 29, dtype=torch.bool)
    truth[:, 3:9, 12:27] = True
    truth[4] = False
    truth[5] = True
    return maps, truth


def test_every_threshold_of_the_curve_equals_its_own_pass_bit_for_bit():
    maps, truth = case()
    curve = jaccard_curve(maps, truth, THRESHOLDS)
    for column, threshold in enumerate(THRESHOLDS):
        alone = jaccard(binarize(maps, threshold), truth)
        assert torch.equal(curve[:, column].nan_to_num(-1), alone.nan_to_num(-1)), threshold
    assert curve[4].isnan().all()
    assert not curve[3].any()


def test_a_single_threshold_and_a_transposed_map():
    maps, truth = case()
    single = jaccard_curve(maps, truth, (0.5,))
    assert single.shape == (6, 1)
    flipped = jaccard_curve(maps.mT, truth.mT, (0.5,))
    torch.testing.assert_close(flipped, single, equal_nan=True)
    assert not torch.allclose(jaccard_curve(maps.flip(2), truth, (0.5,))[:3], single[:3])


@pytest.mark.parametrize("grade", [-1, 3])
def test_grades_are_told_apart(grade):
    maps, truth = case()
    masks = torch.where(truth, grade, 0).to(torch.int8)
    masks[:, 0, 0] = 2
    expected = jaccard_curve(maps, masks == grade, (0.5, 0.7)).mean(dim=1)
    ours = jaccard_by_grade(maps, masks, grade=grade, thresholds=(0.5, 0.7))
    torch.testing.assert_close(ours, expected, equal_nan=True)
    assert jaccard_by_grade(maps, masks, grade=1).isnan().all()
