"""How alike maps of other trainings are: by hand, and on what a run has stored."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from xaibench.core.maps import finish
from xaibench.explaining import reproducibility
from xaibench.explaining.reproducibility import compare_pairs
from xaibench.results.folder import Layout, Place
from xaibench.results.maps import MapReader, map_files
from xaibench.results.tables import LIKENESS
from xaibench.setup.selection import select


def test_pairs_of_maps_worked_by_hand():
    maps = torch.zeros(4, 9, 12)
    maps[0, 2, 3:7] = 1.0  # four pixels, the peak at (2, 3)
    maps[1, 2, 5:9] = 1.0  # two of them shared, the peak at (2, 5)
    maps[2] = maps[0] / 2  # pixels are marked from half of each map's own maximum
    found = compare_pairs(maps, [(0, 1), (0, 2), (0, 3), (3, 3)])
    ranks = spearmanr(maps[0].ravel(), maps[1].ravel()).statistic
    np.testing.assert_allclose(found[0, [0, 2, 3]], [ranks, 2 / 6, 2 / 15])
    assert 0 < found[0, 1] < 1
    np.testing.assert_allclose(found[1, [0, 2, 3]], [1, 1, 0])
    assert np.isnan(found[2:]).all()  # constant maps say nothing


@pytest.mark.slow
def test_a_run_compares_seeds_of_one_fold(finished_run, settings, monkeypatch):
    table = pd.read_csv(finished_run.out / "reproducibility.csv")
    assert set(table["between"]) == {"seeds", "all"}  # each image is tested in one fold alone
    assert not {"center", "random"} & set(table["method"])
    assert (table["images"] == 32).all()
    monkeypatch.setattr(reproducibility, "_MOST_IMAGES", 48)
    found = reproducibility.reproducibility(select({**settings, "out": str(finished_run.out)}))
    row = found[(found["model"] == "pocket") & (found["between"] == "all")].iloc[0]
    assert (row["images"], row["pairs"]) == (48, 48)
    tested = pd.read_csv(finished_run.out / "predictions.csv").query("model == 'pocket'")
    expected = []
    for fold in (0, 1):
        places = [Place(row["dataset"], row["split"], fold, "pocket", seed) for seed in (0, 1)]
        folders = [Layout(finished_run.out).cell_folder(place, "gradcam") for place in places]
        names = tested[tested["fold"] == fold]["sample"].unique()
        with MapReader(*map_files(folders[0])) as one, MapReader(*map_files(folders[1])) as other:
            for name in names:
                raw = [torch.from_numpy(each[f"label/{name}"])[None] for each in (one, other)]
                pair = torch.cat([finish(each, (32, 32))[0] for each in raw])
                expected.append(compare_pairs(pair, [(0, 1)])[0])
    np.testing.assert_allclose(row[list(LIKENESS)].astype(float), np.nanmean(expected, axis=0))
