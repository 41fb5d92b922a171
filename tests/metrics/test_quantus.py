"""Quantus scores the same maps, in an environment of its own; where it differs, it is said how."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from lesions import HEIGHT, WIDTH, score

PYTHON = os.environ.get("XAIBENCH_QUANTUS_PYTHON", "")
PEER = Path(__file__).parent / "quantus_peer.py"
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="XAIBENCH_QUANTUS_PYTHON names no interpreter that has Quantus"
)
NAMES = ["hit_rate", "mass_in_mask", "rank_accuracy", "top_k", "sparseness", "entropy"]
ORDINARY, SPARSE, TIED, EMPTY, ZEROS = slice(0, 40), slice(40, 50), 50, 51, 52


def case():
    """Ordinary maps and sparse ones under masks of one size; then two peaks; no mask; no map."""
    random = np.random.default_rng(7)
    masks = np.zeros((53, HEIGHT, WIDTH), np.int8)
    for row, mask in enumerate(masks):
        mask[row % 9 : row % 9 + 11, row % 17 : row % 17 + 19] = 1
    maps = random.uniform(size=masks.shape).astype(np.float32) ** 3
    maps[:20] = 0.7 * maps[:20] + 0.3 * masks[:20]
    maps[SPARSE] *= random.uniform(size=maps[SPARSE].shape) < 0.06
    maps[TIED, 0, 0] = maps[TIED, 10, 20] = 1
    masks[EMPTY], maps[ZEROS] = 0, 0
    return maps, masks


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Ours and theirs by metric, float64."""
    maps, masks = case()
    stored = tmp_path_factory.mktemp("quantus") / "maps.npz"
    np.savez(stored, maps=maps, masks=masks)
    asked = subprocess.run([PYTHON, PEER, stored], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    theirs = json.loads(asked.stdout.splitlines()[-1])
    tensors = torch.from_numpy(maps), torch.from_numpy(masks)
    ours = {name: score("rank_accuracy" if name == "top_k" else name, *tensors) for name in NAMES}
    return {name: (ours[name].double().numpy(), np.array(theirs[name])) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_ordinary_maps_score_as_in_quantus(name, scores):
    ours, theirs = scores[name]
    np.testing.assert_allclose(ours[ORDINARY], theirs[ORDINARY], rtol=1e-5)
    assert len(set(theirs[ORDINARY])) > 1


@pytest.mark.parametrize("name", ["hit_rate", "mass_in_mask", "sparseness", "entropy"])
def test_maps_mostly_of_zeros_score_as_in_quantus(name, scores):
    ours, theirs = scores[name]
    # It adds 1e-7 to each pixel before it sorts, and 1e-12 before it takes the logarithm.
    np.testing.assert_allclose(ours[SPARSE], theirs[SPARSE], rtol=1e-4)


@pytest.mark.parametrize("name", ["rank_accuracy", "top_k"])
def test_where_zeros_fill_up_the_top_quantus_lets_their_order_decide(name, scores):
    ours, theirs = scores[name]
    assert not np.allclose(ours[SPARSE], theirs[SPARSE], rtol=0.02)


def test_two_peaks_are_a_whole_hit_in_quantus(scores):
    ours, theirs = scores["hit_rate"]
    assert (ours[TIED], theirs[TIED]) == (0.5, 1)


def test_an_empty_mask_is_a_hit_in_quantus_and_undefined_here(scores):
    ours, theirs = scores["hit_rate"]
    assert np.isnan(ours[EMPTY])
    assert theirs[EMPTY] == 1
    for name in ("mass_in_mask", "rank_accuracy", "top_k"):
        assert np.isnan([part[EMPTY] for part in scores[name]]).all()


def test_a_map_of_zeros_is_undefined_or_a_hit_in_quantus_and_nothing_or_chance_here(scores):
    found = {name: (ours[ZEROS], theirs[ZEROS]) for name, (ours, theirs) in scores.items()}
    share = 11 * 19 / (HEIGHT * WIDTH)
    assert found["hit_rate"] == (pytest.approx(share), 1)
    assert found["mass_in_mask"][0] == found["rank_accuracy"][0] == found["sparseness"][0] == 0
    assert np.isnan([found["mass_in_mask"][1], found["entropy"][1]]).all()
    assert found["entropy"][0] == pytest.approx(np.log(HEIGHT * WIDTH))
