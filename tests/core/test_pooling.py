from contextlib import closing

import numpy as np
import pytest
import torch

from xaibench.core.pooling import Spool, linearize


def ratio(mean):
    return mean[0] / mean[1]


def statistics(count=400):
    random = np.random.default_rng(0)
    whole = random.uniform(1, 3, count)
    share = random.uniform(0.2, 0.6, count) * whole / 3
    return torch.from_numpy(np.stack([whole * share, whole], axis=1))


def test_the_mean_of_all_parts_is_the_pooled_value():
    rows = statistics()
    values = linearize(rows, ratio)
    torch.testing.assert_close(values.mean(), rows[:, 0].sum() / rows[:, 1].sum())
    assert not torch.allclose(values.mean(), (rows[:, 0] / rows[:, 1]).mean(), atol=1e-4)


def test_the_spread_of_the_parts_is_the_error_of_the_pooled_value():
    rows = statistics()
    random = np.random.default_rng(1)
    drawn = [rows[random.integers(0, len(rows), len(rows))].mean(dim=0) for _ in range(4000)]
    bootstrap = np.std([float(ratio(mean)) for mean in drawn])
    delta = float(linearize(rows, ratio).std()) / np.sqrt(len(rows))
    assert delta == pytest.approx(bootstrap, rel=0.05)


def test_the_best_of_a_curve_gives_each_image_its_value_there():
    curves = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.0, 0.7, 0.4]])
    values = linearize(curves, torch.max)
    torch.testing.assert_close(values, curves[:, 1].double())


def test_undefined_rows_stay_undefined_and_change_no_other():
    rows = statistics(20)
    holed = torch.cat([rows[:7], torch.tensor([[torch.nan, 1.0]]), rows[7:]])
    values = linearize(holed, ratio)
    assert values.isnan().nonzero().tolist() == [[7]]
    torch.testing.assert_close(values[~values.isnan()], linearize(rows, ratio))
    assert linearize(holed[7:8], ratio).isnan().all()


def test_batches_spooled_to_disk_give_what_one_batch_gives(monkeypatch):
    rows = statistics(50).float()
    whole = linearize(rows, ratio)
    monkeypatch.setattr("xaibench.core.pooling._ROWS_AT_ONCE", 7)
    with closing(Spool()) as spool:
        for batch in rows.split(16):
            spool.add(batch)
        torch.testing.assert_close(spool.values(ratio), whole)


def test_an_empty_spool_holds_no_values():
    with closing(Spool()) as spool:
        assert spool.values(ratio).tolist() == []


def test_pooling_works_where_gradients_are_switched_off():
    with torch.inference_mode():
        values = linearize(statistics(), ratio)
    torch.testing.assert_close(values.mean(), linearize(statistics(), ratio).mean())
