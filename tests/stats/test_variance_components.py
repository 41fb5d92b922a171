import numpy as np
import pytest

from xaibench.stats.variance_components import COMPONENTS, variance_components

ONE = [0] * 4


def test_a_balanced_table_of_one_training_gives_the_estimates_of_the_analysis_of_variance():
    values = np.array([[3.0, 5, 4], [1, 2, 6], [7, 9, 8], [2, 2, 5]])
    rows, columns = values.shape
    by_row, by_column = values.mean(axis=1), values.mean(axis=0)
    rest = values - by_row[:, None] - by_column + values.mean()
    error = (rest**2).sum() / ((rows - 1) * (columns - 1))
    found = variance_components(values, range(rows), ONE, ONE)
    assert found["image"] == pytest.approx((columns * by_row.var(ddof=1) - error) / columns)
    assert found["method"] == pytest.approx((rows * by_column.var(ddof=1) - error) / rows)
    assert found["image and method"] == pytest.approx(error)
    assert np.isnan([found["fold"], found["seed"], found["rest"]]).all()


def test_a_shift_of_one_seed_is_the_seeds_variance_alone():
    # Half of the squared difference of two seeds that are 0.2 apart.
    one = np.array([[0.1, 0.4], [0.5, 0.8], [0.3, 0.6]])
    values = np.concatenate([one, one + 0.2])
    found = variance_components(values, [0, 1, 2] * 2, [0] * 6, [0] * 3 + [1] * 3)
    assert found["seed"] == pytest.approx(0.02)
    assert found["image"] == pytest.approx(np.var([0.1, 0.5, 0.3], ddof=1))
    assert found["method"] == pytest.approx(0.045)
    assert [found[name] for name in ("image and method", "rest")] == pytest.approx([0, 0])
    assert np.isnan(found["fold"])


def test_planted_variances_come_out_also_where_scores_are_missing():
    rng = np.random.default_rng(5)
    planted = dict(zip(COMPONENTS, (4.0, 3.0, 2.0, 1.0, 0.5, 0.25), strict=True))
    draws = {name: np.sqrt(value) for name, value in planted.items()}
    folds, seeds, images, methods = 60, 4, 10, 12
    fold, seed, image = (part.ravel() for part in np.indices((folds, seeds, images)))
    image += fold * images

    def drawn(name, *shape):
        effect = rng.normal(size=shape)
        return draws[name] * effect / effect.std(ddof=1)  # few draws have another variance

    values = (
        drawn("image", folds * images)[image][:, None]
        + drawn("method", methods)
        + drawn("fold", folds)[fold][:, None]
        + drawn("seed", folds, seeds)[fold, seed][:, None]
        + rng.normal(0, draws["image and method"], (folds * images, methods))[image]
        + rng.normal(0, draws["rest"], (len(image), methods))
    )
    values[rng.random(values.shape) < 0.2] = np.nan
    found = variance_components(values, image, fold, seed)
    for name, value in planted.items():
        assert found[name] == pytest.approx(value, rel=0.15), name
