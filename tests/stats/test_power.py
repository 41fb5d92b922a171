import numpy as np
import pytest
from scipy.stats import nct, t

from xaibench.stats.paired import paired_test
from xaibench.stats.power import detectable_difference

NOISE = np.random.default_rng(0).normal(size=130)
NOISE = 0.2 * (NOISE - NOISE.mean()) / NOISE.std(ddof=1)


def power_of(difference, images, sd=0.2, level=0.05):
    """The t-test's power by the noncentral t-distribution."""
    limit, shift = t.ppf(1 - level / 2, images - 1), difference / sd * np.sqrt(images)
    return nct.sf(limit, images - 1, shift) + nct.cdf(-limit, images - 1, shift)


@pytest.mark.parametrize(("power", "level"), [(0.8, 0.05), (0.9, 0.01)])
def test_a_detectable_difference_is_found_with_this_power(power, level):
    found = detectable_difference(NOISE, np.arange(130), power=power, level=level)
    # By simulation, hence the tolerance.
    assert power_of(found, 130, level=level) == pytest.approx(power, abs=0.02)
    assert detectable_difference(NOISE + 0.3, np.arange(130), power=power, level=level) == (
        pytest.approx(found)
    )


@pytest.mark.parametrize("level", [0.05, 0.002])
def test_trainings_count_as_they_do_in_the_test(level):
    fold, image, seed = np.indices((5, 20, 3)).reshape(3, -1)
    random = np.random.default_rng(3)
    noise = 0.1 * random.normal(size=(5, 1, 3)) + 0.1 * random.normal(size=(5, 20, 3))
    noise = noise.ravel() - noise.mean()
    # Half of the power: the very difference at which the test's p is the level.
    found = detectable_difference(noise, image, fold, seed, power=0.5, level=level)
    assert paired_test(noise + found, 0 * noise, image, fold, seed) == pytest.approx(
        level, rel=0.25
    )
    assert found > 2 * detectable_difference(noise, 20 * fold + image, power=0.5, level=level)
    assert detectable_difference(noise, image, fold, seed, level=level) > found


def test_copies_of_images_tell_nothing_more():
    groups = np.arange(130)
    alone = detectable_difference(NOISE, groups)
    copied = detectable_difference(np.tile(NOISE, 3), np.tile(groups, 3))
    assert copied == pytest.approx(alone)


def test_what_is_undefined_does_not_count():
    holed = np.append(NOISE, [float("nan")] * 5)
    assert detectable_difference(holed, np.arange(135)) == detectable_difference(
        NOISE, np.arange(130)
    )
    assert np.isnan(detectable_difference([0.1, 0.2], [0, 0]))
    assert detectable_difference(np.full(4, 0.1), np.arange(4)) == pytest.approx(0, abs=1e-12)
