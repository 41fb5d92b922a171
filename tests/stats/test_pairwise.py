import numpy as np
import pytest

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
    found = paired_tests(table, *labels)
    assert np.isnan(np.diag(found)).all()
    for one in range(5):
        for other in set(range(5)) - {one}:
            alone = paired_test(table[:, one], table[:, other], *labels)
            np.testing.assert_allclose(found[one, other], alone, rtol=1e-6)
    assert found[0, 1] == 1
    assert found[0, 3] < 0.01
    assert np.isnan(found[0, 4]) == holes
