"""The planner's designs find what the tests of such a design find."""

import numpy as np
import pytest
from click.testing import CliRunner

from xaibench.cli import cli
from xaibench.stats.pairwise import paired_tests
from xaibench.stats.power import Components, components, design_of, detectable


def drawn(found, folds, images, seeds, repetitions, random):
    fold, image, seed = np.indices((folds, images, seeds)).reshape(3, -1)
    shape = (folds, images, seeds, repetitions)
    values = found.training_set * random.normal(size=(folds, 1, 1, repetitions))
    values = values + found.training * random.normal(size=(folds, 1, seeds, repetitions))
    values = values + found.image * random.normal(size=(folds, images, 1, repetitions))
    values = values + found.answer * random.normal(size=shape)
    label = images * fold + image
    return values.reshape(len(fold), repetitions), (label, label, fold, seed)


def test_variance_components_are_found_again():
    true = Components(0.2, 0.1, 0.05, 0.08)
    values, labels = drawn(true, 12, 40, 4, 30, np.random.default_rng(0))
    design = design_of(*labels)
    found = np.median([components(column, design) for column in values.T], axis=0)
    np.testing.assert_allclose(found, true, rtol=0.25)


@pytest.mark.slow
def test_a_detectable_difference_is_found_four_times_in_five():
    true = Components(0.15, 0.1, 0.02, 0.02)
    values, labels = drawn(true, 5, 30, 3, 300, np.random.default_rng(1))
    design = design_of(*labels)
    found = detectable(true, design)
    _, group, fold, seed = labels
    for kind, shift in zip(("images", "training_sets"), found, strict=True):
        table = np.column_stack([values + shift, np.zeros(len(values))])
        pairs = [(at, 300) for at in range(300)]
        p = paired_tests(table, group, fold, seed, pairs, design.sets)
        share = (getattr(p, kind)[:300, 300] <= 0.05).mean()
        assert 0.7 < share < 0.9 or (kind == "images" and share > 0.6), (kind, share)


@pytest.mark.slow
def test_the_command_says_what_it_takes():
    said = CliRunner().invoke(cli, ["power", "--images", "100", "--difference", "0.5"])
    assert said.exit_code == 0, said.output
    assert "new test images: 100 images, --split kfold:5 and 1 training seed" in said.output
    assert "new training sets, too: 100 images, --split kfold:5 and 3 training seeds" in said.output
    none = CliRunner().invoke(cli, ["power", "--images", "100", "--difference", "0.0001"])
    assert none.output.count("none of the designs below is enough") == 2
    assert CliRunner().invoke(cli, ["power", "--difference", "0.1"]).exit_code != 0
