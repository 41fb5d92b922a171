import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from xaibench.core.maps import CONSTANT, NON_FINITE, OK, finish

SIZE = (12, 20)


def signed_maps(count=3, height=3, width=5):
    return torch.randn(count, height, width, generator=torch.Generator().manual_seed(0))


def reference(raw, sign, rescale):
    """Sign, resize, rescale, one map after the other."""
    signs = {"relu": lambda m: m.clamp(min=0), "abs": torch.abs, "none": lambda m: m}
    done = []
    for single in raw:
        large = functional.interpolate(
            signs[sign](single)[None, None], SIZE, mode="bilinear", align_corners=False
        )[0, 0]
        if rescale == "minmax":
            done.append((large - large.min()) / (large.max() - large.min()))
        else:
            done.append(large.clamp(0, 1))
    return torch.stack(done)


@pytest.mark.parametrize("sign", ["relu", "abs", "none"])
@pytest.mark.parametrize("rescale", ["minmax", "none"])
def test_sign_then_resize_then_rescale(sign, rescale):
    maps, statuses = finish(signed_maps(), SIZE, sign=sign, rescale=rescale)
    torch.testing.assert_close(maps, reference(signed_maps(), sign, rescale))
    assert maps.dtype == torch.float32
    assert statuses == [OK] * 3


def test_the_sign_rule_comes_before_resizing():
    raw = torch.tensor([[[1.0, -1.0]]])
    maps, _ = finish(raw, (1, 4), sign="relu", rescale="none")
    torch.testing.assert_close(maps, torch.tensor([[[1.0, 0.75, 0.25, 0.0]]]))


def test_a_map_is_enlarged_by_hand_without_transposing():
    raw = torch.tensor([[[0.0, 1.0, 3.0]]])
    maps, _ = finish(raw, (2, 6))
    row = torch.tensor([0.0, 0.25, 0.75, 1.5, 2.5, 3.0]) / 3
    torch.testing.assert_close(maps, torch.stack([row, row])[None])


def test_a_map_of_the_right_size_is_not_resampled():
    raw = signed_maps(2, *SIZE)
    maps, _ = finish(raw, SIZE, sign="none", rescale="none")
    assert torch.equal(maps, raw.clamp(0, 1))


def test_minmax_reaches_zero_and_one_in_every_map():
    maps, _ = finish(signed_maps() * torch.tensor([1e-20, 1, 1e20])[:, None, None], SIZE)
    assert maps.flatten(1).amin(dim=1).tolist() == [0, 0, 0]
    assert maps.flatten(1).amax(dim=1).tolist() == [1, 1, 1]


def test_probabilities_are_clamped_and_never_stretched():
    raw = torch.tensor([[[0.2, 0.3, 0.4]], [[-0.5, 0.5, 1.5]], [[0.25, 0.25, 0.25]]])
    maps, statuses = finish(raw, (1, 3), sign="none", rescale="none")
    expected = torch.tensor([[[0.2, 0.3, 0.4]], [[0.0, 0.5, 1.0]], [[0.25, 0.25, 0.25]]])
    assert torch.equal(maps, expected)
    assert statuses == [OK] * 3


CONSTANTS = {
    "zeros": torch.zeros(3, 5),
    "ones": torch.ones(3, 5),
    "negative": -signed_maps(1)[0].abs() - 0.1,
    "tenths": torch.full((3, 5), 0.1),
    "rounding": torch.full((3, 5), 1234.5) * (1 + 2e-7 * torch.arange(15).view(3, 5).remainder(2)),
    "tiny": torch.full((3, 5), 1e-30),
}


@pytest.mark.parametrize("kind", CONSTANTS)
@pytest.mark.parametrize("size", [(3, 5), SIZE, (7, 11), (224, 320)])
def test_constant_maps_become_zeros_and_say_so(kind, size):
    raw = torch.stack([signed_maps(1)[0], CONSTANTS[kind]])
    maps, statuses = finish(raw, size)
    assert statuses == [OK, CONSTANT]
    assert not maps[1].any()


def test_a_map_that_resizing_makes_constant_becomes_zeros():
    checks = torch.from_numpy(np.indices((12, 20)).sum(axis=0) % 2).float()
    maps, statuses = finish(checks[None], (6, 10))
    assert statuses == [CONSTANT]
    assert not maps.any()


@pytest.mark.parametrize("rescale", ["minmax", "none"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_non_finite_map_becomes_zeros_and_spares_its_neighbors(bad, rescale):
    raw = signed_maps()
    alone, _ = finish(raw, SIZE, rescale=rescale)
    spoilt = raw.clone()
    spoilt[1, 2, 4] = bad
    maps, statuses = finish(spoilt, SIZE, rescale=rescale)
    assert statuses == [OK, NON_FINITE, OK]
    assert not maps[1].any()
    assert torch.equal(maps[[0, 2]], alone[[0, 2]])


def test_a_value_too_large_for_float32_counts_as_non_finite():
    raw = signed_maps().double()
    raw[0, 0, 0] = 1e300
    maps, statuses = finish(raw, SIZE)
    assert statuses == [NON_FINITE, OK, OK]
    assert maps.isfinite().all()


def test_finishing_leaves_the_raw_maps_alone():
    raw = signed_maps()
    raw[0, 0, 0] = math.nan
    before = raw.clone()
    finish(raw, SIZE, sign="abs")
    torch.testing.assert_close(raw, before, equal_nan=True, rtol=0, atol=0)


def test_no_maps_are_no_maps():
    maps, statuses = finish(torch.zeros(0, 1, 1), SIZE)
    assert maps.shape == (0, *SIZE)
    assert statuses == []
