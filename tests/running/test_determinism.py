"""Random methods and metrics find the same bytes, whatever is computed together.

That executors and their workers change nothing is tested with a worker killed (tests/faults).
"""

import numpy as np
import pytest

METHODS = ("gradcam", "smoothgrad[samples=3]", "gradient_shap[samples=3]", "rise[masks=20]")
METRICS = ("hit_rate", "infidelity", "sensitivity_max")


@pytest.fixture(scope="module")
def given(small):
    return {**small, "dataset": "phantom[images=110]", "models": ("small_resnet",), "epochs": 1,
            "methods": METHODS, "metrics": METRICS, "train_fraction": 0.2}  # fmt: skip


@pytest.fixture(scope="module")
def together(given, run_cells, tmp_path_factory):
    out = tmp_path_factory.mktemp("together") / "out"
    assert run_cells(given, out).failures == {}
    return out


@pytest.mark.slow
def test_what_is_random_is_the_same_in_any_batch_and_any_part(given, together, run_cells, tmp_path):
    assert run_cells(given, tmp_path, batch_size=3, part_size=5).failures == {}
    for name in ("scores.csv", "predictions.csv"):
        one, two = ((out / name).read_text("utf-8").splitlines() for out in (together, tmp_path))
        assert sorted(one) == sorted(two)
    kept = maps(together)
    assert len(kept) > 11 * len(METHODS)
    assert kept == maps(tmp_path)


def maps(out):
    """Return all raw maps' bytes."""
    found = {}
    for path in out.rglob("maps*.npz"):
        with np.load(path) as stored:
            found |= {(path.parent.name, key): stored[key].tobytes() for key in stored.files}
    return found
