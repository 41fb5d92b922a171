import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from xaibench.analyses.reconstruction import reconstruction
from xaibench.core.errors import XaibenchError
from xaibench.core.restoration import fidelity
from xaibench.explaining.trial import synthetic_words


def test_fidelity_is_scikit_images_by_picture():
    draw = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 9, 14, generator=draw)
    strength = torch.tensor([0.1, 0.4])[:, None, None, None]
    shown = clean + strength * torch.randn(clean.shape, generator=draw)
    found = fidelity(shown, clean).numpy()
    for row, pair in enumerate(zip(clean.double().numpy(), shown.double().numpy(), strict=True)):
        expected = [
            ((pair[0] - pair[1]) ** 2).mean(),
            peak_signal_noise_ratio(*pair, data_range=1),
            structural_similarity(*pair, data_range=1, channel_axis=0),
        ]
        assert found[row] == pytest.approx(expected, rel=1e-6)
    assert fidelity(clean, clean)[0].tolist() == [0, 100, 1]


def test_errors_stand_by_class_and_pairs_compare_with_the_noise():
    names = ("round", "flat")
    words = synthetic_words(names, 10, images=5)
    found = reconstruction(words.errors, words.restore, words.labels, names, shown=2)
    for label, name in enumerate(names):
        own = found.quantities[f"error[{name}]"]
        assert np.array_equal(~np.isnan(own), words.labels == label)
        assert np.nanmean(own) == pytest.approx(words.errors[words.labels == label].mean())
    assert ("restored_psnr", "noisy_psnr") in found.pairs
    assert found.pixels["restored"].shape[:2] == (2, 3)
    for wrong in ({"noise": -0.1}, {"shown": 0}):
        with pytest.raises(XaibenchError, match="at least"):
            reconstruction(words.errors, words.restore, words.labels, names, **wrong)
