import numpy as np
import pytest

from xaibench.stats import pairwise
from xaibench.stats.clusters import clusters
from xaibench.stats.mean_tests import evidence
from xaibench.stats.paired import paired_test
from xaibench.stats.pairwise import paired_tests


def columns(images, seeds, *, holes=False):
    random = np.random.default_rng(images + seeds)
    units = images * seeds
    table = random.random((units, 1)) + 0.2 * random.normal(size=(units, 5))
    table[:, 1] = table[:, 0]
    table[:, 2] += 0.06
    table[:, 3] += 0.3
    if holes:
        table[::7, 2] = np.nan
        table[: units - 1, 4] = np.nan
    groups = np.tile(np.arange(images) // 2, seeds)
    return (
        table,
        groups,
        np.tile(np.arange(images) % 4 // 2, seeds),
        np.repeat(range(seeds), images),
    )


@pytest.mark.parametrize(("images", "seeds"), [(20, 1), (60, 1), (60, 3), (1200, 1)])
@pytest.mark.parametrize("holes", [False, True])
def test_all_pairs_at_once_are_as_one_by_one(images, seeds, holes):
    table, *labels = columns(images, seeds, holes=holes)
    found = paired_tests(table, *labels).images
    assert np.isnan(np.diag(found)).all()
    for one in range(5):
        for other in set(range(5)) - {one}:
            alone = paired_test(table[:, one], table[:, other], *labels)
            np.testing.assert_allclose(found[one, other], alone, rtol=1e-6)
    assert found[0, 1] == 1
    assert found[0, 3] < 0.01
    assert np.isnan(found[0, 4]) == holes


def test_some_pairs_alone_and_in_parts_have_the_same_p(monkeypatch):
    table, *labels = columns(60, 3, holes=True)
    whole = paired_tests(table, *labels).images
    monkeypatch.setattr(pairwise, "_DIFFERENCES_IN_MEMORY", 180)
    np.testing.assert_array_equal(paired_tests(table, *labels).images, whole)
    some = paired_tests(table, *labels, pairs=[(3, 0), (1, 2)]).images
    for one, other in np.ndindex(5, 5):
        tested = {one, other} in ({3, 0}, {1, 2})
        np.testing.assert_equal(some[one, other], whole[one, other] if tested else np.nan)


def test_bundles_of_many_groups_keep_what_classes_in_a_row_differ_by():
    differences = np.repeat([1.0, -1.0], 1024)[:, None]
    units = clusters(np.arange(2048), np.zeros(2048), np.zeros(2048))
    bundled = evidence(differences, units).sums
    assert len(bundled) == 512
    # What random signs make of the sum scatters by the root of this.
    np.testing.assert_allclose((bundled**2).sum(), (differences**2).sum(), rtol=0.15)
