"""A study's table and answers, on scores made by hand."""

import numpy as np
import pandas as pd
import pytest
from frames import record_of
from scipy.stats import t

from xaibench.report.facts.material import Material
from xaibench.report.facts.section import sections
from xaibench.report.judging.comparisons import compare_arms
from xaibench.report.wording.answers import answers
from xaibench.results.study_records import Arm
from xaibench.stats.paired import holm, paired_test

IMAGES = 24
PLACE = {"dataset": "made", "split": "holdout", "fold": 0, "seed": 0, "method": "spn"}
RUN = record_of(
    {
        "classes": [],
        "methods": {"spn": {"family": "learned", "blind": False}},
        "metrics": {
            "iou": {"higher_is_better": True, "family": "localization", "bounds": [0, 1]},
            "entropy": {"higher_is_better": False, "family": "complexity", "bounds": [0, None]},
        },
    }
)
# Two images each: no test may take them for independent.
GROUPS = {("made", f"i{image:02}"): f"g{image // 2}" for image in range(IMAGES)}


def table_of(columns, arms, metric="iou", *, ordered=True, folds=1, seeds=1):
    """The table of arms with these scores of their images; fold after fold, alike by all seeds."""
    images = pd.DataFrame({"sample": [f"i{image:02}" for image in range(IMAGES)]})
    frames = [
        images.assign(**PLACE | {"fold": images.index * folds // IMAGES, "seed": seed},
                      value=values, model=key, metric=metric, status="")
        for key, values in columns.items() for seed in range(seeds)
    ]  # fmt: skip
    material = Material.of(RUN, pd.concat(frames), groups=GROUPS)
    section = next(sections(material))
    return compare_arms(section, RUN, arms, ordered=ordered), section


def noise(seed, low=0.2, high=0.4):
    return np.random.default_rng(seed).uniform(low, high, IMAGES)


def series(*levels, name="net"):
    first = f"{levels[0]}/{name}"
    return [Arm(level, name, name, level, against=(first,)) for level in levels]


def row(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    (found,) = table.to_dict("records")
    return found


def test_differences_are_paired_and_corrected():
    base, middle, high = noise(0), noise(1), noise(2) + 0.05
    middle[[2, 3]] = np.nan
    arms = series("0", "1", "2")
    table, _ = table_of({"0/net": base, "1/net": middle, "2/net": high}, arms, ordered=False)
    groups = np.arange(IMAGES) // 2
    same = np.zeros(IMAGES)
    p = [paired_test(other, base, groups, same, same) for other in (middle, high)]
    expected = [np.nan, *holm(p)]
    np.testing.assert_allclose(table["p_holm"], expected)
    np.testing.assert_allclose(table["p"], [np.nan, *p])
    np.testing.assert_allclose(
        table["difference"], [np.nan, np.nanmean(middle - base), np.mean(high - base)]
    )
    np.testing.assert_allclose(table["value"], [base.mean(), np.nanmean(middle), high.mean()])
    assert list(table["n"]) == [24, 22, 24]
    assert list(table["groups"]) == [12, 11, 12]
    assert (table["low"] < table["value"]).all()
    assert (table["value"] < table["high"]).all()


def test_a_trend_is_a_line_fitted_to_each_image():
    columns = {f"{level}/net": noise(level) + 0.04 * level**2 for level in range(4)}
    table, _ = table_of(columns, series("0", "1", "2", "3"))
    slopes = np.polyfit(range(4), np.stack(list(columns.values())), 1)[0]
    found = row(table, kind="trend")
    assert found["difference"] == pytest.approx(3 * slopes.mean())
    assert found["level"] == "0 to 3"
    assert np.isnan(found["value"])
    assert found["p"] < 0.01


def factorial(missing=None):
    """Arms of 2 x 3 levels whose scores are sums of what each level adds."""
    adds = {"l2": 0, "l1": 0.01, "a": 0, "b": 0.2, "c": -0.1}
    base, arms, columns = noise(5, 0.3, 0.5), [], {}
    for loss in ("l2", "l1"):
        for mode in "abc":
            key = f"run/{loss}{mode}"
            arms.append(Arm("run", f"{loss}{mode}", "net", f"{loss}, {mode}", ("run/l2a",),
                            {"loss": loss, "mode": mode}))  # fmt: skip
            if key != missing:
                wobble = 0.001 * np.random.default_rng(len(arms)).normal(size=IMAGES)
                columns[key] = base + adds[loss] + adds[mode] + wobble
    return columns, arms


def test_a_level_is_the_mean_over_the_other_factors():
    columns, arms = factorial()
    table, section = table_of(columns, arms, ordered=False)
    found = row(table, kind="factor", level="b")
    wanted = (columns["run/l2b"] + columns["run/l1b"]) / 2
    assert found["value"] == pytest.approx(wanted.mean())
    assert found["difference"] == pytest.approx(0.2, abs=0.005)
    (said, _) = answers(table, section)
    assert said.startswith("**iou of spn**: depends most on `mode` (b against a +0.2")
    assert "then on `loss` (l1 against l2 +0.01" in said


def test_an_arm_that_is_missing_unbalances_no_mean():
    columns, arms = factorial(missing="run/l1b")
    table, _ = table_of(columns, arms, ordered=False)
    found = row(table, kind="factor", level="l1")
    assert found["value"] == pytest.approx(
        np.mean([columns["run/l1a"], columns["run/l1c"]], axis=0).mean()
    )
    assert found["difference"] == pytest.approx(0.01, abs=0.005)
    assert row(table, kind="factor", level="b")["value"] == pytest.approx(columns["run/l2b"].mean())


def test_the_next_reference_counts_where_the_first_has_no_score():
    arms = [Arm("base", "plain", "plain", "base", ("base/plain",)),
            *(Arm(p, "net", "net", p, ("base/plain", "0/net")) for p in ("0", "1"))]  # fmt: skip
    columns = {"0/net": noise(1), "1/net": noise(2)}
    assert list(table_of(columns, arms)[0]["against"]) == ["", "0"]
    with_base, _ = table_of({"base/plain": noise(3), **columns}, arms)
    assert list(with_base["against"]) == ["", "plain, base", "plain, base"]


def test_where_nothing_differs_other_images_still_may():
    table, section = table_of({"0/net": noise(1), "1/net": noise(1)}, series("0", "1"))
    found = row(table, level="1")
    assert (found["difference"], found["p"]) == (0, 1)
    # Wilson's upper end for none of 12 groups: z^2 / (n + z^2).
    assert found["difference_high"] == pytest.approx(3.8415 / 15.8415, abs=1e-3)
    assert found["difference_low"] == -found["difference_high"]
    assert next(answers(table, section)) == (
        "**iou of spn**, `net`: against 0, not significantly different at 1 with n = 24."
    )


def test_factors_of_no_effect_are_told():
    columns, arms = factorial()
    same = dict.fromkeys(columns, noise(4))
    table, section = table_of(same, arms, ordered=False)
    (said, _) = answers(table, section)
    assert "no effect of `loss` is shown (l1 against l2 +0.000 [-0.24, 0.24], p = 1 with" in said
    assert "depends" not in said
    assert "nan" not in said


def test_answers_name_what_is_higher_and_what_it_would_take():
    columns = {"0/net": noise(1), "1/net": noise(2), "2/net": noise(3) + 0.3}
    table, section = table_of(columns, series("0", "1", "2"), "entropy")
    trend, levels, seeds = answers(table, section)
    assert "from 0 to 2 on a straight line through the levels, a trend (p < 0.001)" in trend
    assert "against 0, higher at 2 (+0.2" in levels
    assert (
        "not significantly different at 1 with n = 24; minimum detectable difference (80 % power) "
        "0.0" in levels
    )
    assert seeds.startswith("One training seed: ")


def test_differences_of_folds_tell_of_new_training_sets():
    base = noise(0)
    gap = np.repeat([0.2, 0.3, 0.4, 0.3], IMAGES // 4) + noise(1, -0.001, 0.001)
    columns = {"0/net": base, "1/net": base + gap, "2/net": base + (noise(2) - 0.3)}
    table, section = table_of(columns, series("0", "1", "2"), folds=4, seeds=2)
    found = row(table, kind="arm", level="1")
    # Four folds' means, each tested on a third of what it learned from.
    means = gap.reshape(4, -1).mean(axis=1)
    error = np.sqrt(means.var(ddof=1) * (1 / 4 + 1 / 3))
    reach = error * t.ppf(0.975, 3)
    assert found["difference_low_training_sets"] == pytest.approx(means.mean() - reach)
    assert found["difference_high_training_sets"] == pytest.approx(means.mean() + reach)
    p = 2 * t.sf(means.mean() / error, 3)
    assert 2 * p == pytest.approx(found["p_holm_training_sets"], rel=1e-3)
    *_, said = answers(table, section)
    assert "2 training seeds: intervals and tests generalize to new test images" in said
    assert "remain: iou of spn, `net`, 1 (+0.300 [0." in said


def test_one_fold_or_one_seed_tells_nothing_of_new_training_sets():
    columns = {"0/net": noise(0), "1/net": noise(1) + 0.3}
    for made in ({"folds": 4}, {"seeds": 2}):
        table, section = table_of(columns, series("0", "1"), **made)
        assert table["p_holm_training_sets"].isna().all()
        *_, said = answers(table, section)
        assert said.endswith("(`--split kfold:5 --seeds 0,1,2`).")
