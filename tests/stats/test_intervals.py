"""Many intervals at once are those of one by one."""

import numpy as np
import pytest

from xaibench.stats.intervals import interval, intervals
from xaibench.stats.resampling import Resampling


@pytest.mark.parametrize("seeds", [1, 3])
def test_columns_at_once_are_as_one_by_one(seeds):
    random = np.random.default_rng(seeds)
    table = random.gamma(2, size=(40 * seeds, 7))
    table[::3, 1] = np.nan
    table[1:, 2] = np.nan
    table[:, 3], table[:, 4] = 1, np.nan
    table[::3, 5] = np.nan
    table[:, 6] = 0.5
    labels = (
        np.tile(np.arange(40) // 2, seeds),
        np.tile(np.arange(40) % 4 // 3, seeds),
        np.repeat(np.arange(seeds), 40),
    )
    drawn = Resampling(*labels).means(table)
    found = np.stack(intervals(table, drawn, *labels), axis=1)
    alone = [interval(table[:, at], drawn[:, at], *labels) for at in range(7)]
    np.testing.assert_array_equal(found, alone)
    assert np.isnan(found[[2, 4]]).all()
    assert (found[6] == 0.5).all()
    assert found[3, 0] < found[3, 1] == 1
    means = np.nanmean(table[:, [0, 1, 5]], axis=0)
    assert ((found[[0, 1, 5], 0] < means) & (means < found[[0, 1, 5], 1])).all()
