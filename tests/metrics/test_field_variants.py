"""Variants that the field uses: TorchRay's tolerance, Otsu, ROC-AUC, top-k, RISE's baselines."""

import numpy as np
import pytest
import torch
from lesions import COUNT, binary, score
from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from scipy import ndimage
from skimage.filters import threshold_otsu
from sklearn.metrics import average_precision_score, roc_auc_score

from xaibench.core.errors import XaibenchError
from xaibench.core.rise_baselines import normalized_blur, normalized_zero
from xaibench.core.seeds import BatchGenerator
from xaibench.metrics.drop_in_logit import drop_in_logit
from xaibench.metrics.hit_rate import hit_rate
from xaibench.metrics.insertion import insertion
from xaibench.metrics.road import road

MEAN, DEVIATION = (
    [[[a]], [[b]], [[c]]] for a, b, c in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
)


def test_a_strict_tolerance_accepts_what_torchray_accepts():
    """As TorchRay: any true pixel whose squared distance from the peak is below tolerance^2."""
    masks = torch.zeros(1, 23, 31, dtype=torch.int8)
    masks[0, 4:7, 20:22] = masks[0, 18, 3] = 1
    diagonal = np.hypot(23, 31)
    rows, columns = np.nonzero(masks[0].numpy())
    peaks = torch.eye(23 * 31).view(-1, 23, 31)
    for pixels in (1.0, 2.0, 4.5, 5.0):  # of 5 there are pixels at just that distance: 3, 4, 5
        y, x = np.mgrid[:23, :31]
        squared = ((y[..., None] - rows) ** 2 + (x[..., None] - columns) ** 2).min(axis=2)
        found = hit_rate(peaks, masks.expand(len(peaks), -1, -1), tolerance=pixels / diagonal,
                         strict=True).view(23, 31)  # fmt: skip
        np.testing.assert_array_equal(found.numpy(), squared < pixels**2)
        if pixels == 5.0:
            told = hit_rate(peaks[::9], masks.expand(len(peaks[::9]), -1, -1), pixels=5,
                            strict=True)  # fmt: skip
            assert torch.equal(told, found.flatten()[::9])
    with pytest.raises(XaibenchError, match=r"hit_rate\[strict=true\]: give a tolerance"):
        hit_rate(peaks, masks.expand(len(peaks), -1, -1), strict=True)
    with pytest.raises(XaibenchError, match=r"hit_rate\[pixels=3\]: choose 0 or more pixels, or"):
        hit_rate(peaks, masks.expand(len(peaks), -1, -1), pixels=3, tolerance=0.1)


@pytest.mark.parametrize("metric", ["iou", "dice"])
def test_otsu_marks_what_scikit_image_s_threshold_marks(metric):
    maps, masks = binary()
    maps[1] = (maps[1] * 5).round() / 5
    maps[2] = maps[2] > 0.6
    found, truth = score(f"{metric}[of=otsu]", maps, masks), masks.numpy() > 0
    marked = np.stack([heat > threshold_otsu(heat) for heat in maps.double().numpy()])
    shared, sizes = (marked & truth).sum((1, 2)), marked.sum((1, 2)) + truth.sum((1, 2))
    expected = shared / (sizes - shared) if metric == "iou" else 2 * shared / sizes
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert score(f"{metric}[of=otsu]", torch.ones_like(maps), masks).tolist() == [0] * COUNT


def test_areas_and_lifts_are_scikit_learn_s():
    maps, masks = binary()
    maps[3] = (maps[3] * 4).round() / 4
    pairs = [(mask.flatten().numpy() > 0, heat.flatten().numpy())
             for mask, heat in zip(masks, maps, strict=True)]  # fmt: skip
    expected = [roc_auc_score(*pair) for pair in pairs]
    np.testing.assert_allclose(score("roc_auc", maps, masks), expected, rtol=1e-6)
    lifts = [average_precision_score(*pair) / pair[0].mean() for pair in pairs]
    np.testing.assert_allclose(score("auprc_lift", maps, masks), lifts, rtol=1e-5)
    chance = torch.ones_like(maps)
    assert score("roc_auc", chance, masks).tolist() == [0.5] * COUNT
    torch.testing.assert_close(score("auprc_lift", chance, masks), torch.ones(COUNT))


def test_top_k_counts_the_highest_pixels_one_by_one():
    maps, masks = binary()
    for k in (1, 100, 9999):
        order = np.argsort(-maps.flatten(1).numpy(), axis=1)[:, :k]
        expected = np.take_along_axis(masks.flatten(1).numpy() > 0, order, axis=1).mean(axis=1)
        np.testing.assert_allclose(score(f"top_k[k={k}]", maps, masks), expected, rtol=1e-6)


def test_hausdorff_is_the_distance_between_all_pairs_of_border_pixels():
    maps, masks = binary()
    maps = torch.from_numpy(ndimage.gaussian_filter(maps.numpy(), (0, 2, 3)))
    found = score("hausdorff95", maps, masks)
    for heat, mask, value in zip(maps.numpy(), masks.numpy(), found.tolist(), strict=True):
        borders = []
        for region in (heat >= heat.max() / 2, mask > 0):
            wide = np.pad(region, 1)
            inner = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
            borders.append(np.argwhere(region & ~inner))
        apart = np.linalg.norm(borders[0][:, None] - borders[1][None], axis=2)
        ways = [np.percentile(apart.min(axis=axis), 95) for axis in (0, 1)]
        assert value == pytest.approx(max(ways) / np.hypot(*mask.shape), rel=1e-5)


def test_normalized_baselines_are_rise_s_in_its_own_space():
    """The kernel of its notebook, convolved with zeros around normalized images."""
    images = torch.rand(2, 3, 19, 27, generator=torch.Generator().manual_seed(1))
    peak = np.zeros((11, 11))
    peak[5, 5] = 1
    kernel = ndimage.gaussian_filter(peak, 5)
    mean, deviation = np.array(MEAN), np.array(DEVIATION)
    normalized = (images.double().numpy() - mean) / deviation
    blurred = np.stack([[ndimage.convolve(part, kernel, mode="constant") for part in image]
                        for image in normalized])  # fmt: skip
    np.testing.assert_allclose(normalized_blur(images), blurred * deviation + mean, atol=1e-5)
    np.testing.assert_allclose(
        normalized_zero(images), np.broadcast_to(mean, images.shape), atol=1e-6
    )
    targets = torch.zeros(2).long()

    def predict(seen):
        return torch.stack([seen.mean(dim=(1, 2, 3)), seen.std(dim=(1, 2, 3))], dim=1)

    found = insertion(images[:, 0], images, targets, predict, steps=1, space="normalized")
    ends = [predict(each)[:, 0] for each in (normalized_blur(images), images)]
    torch.testing.assert_close(found, (ends[0] + ends[1]) / 2)


def test_the_drop_of_the_logit_is_pytorch_grad_cam_s():
    generator = torch.Generator().manual_seed(2)
    images, maps = (torch.rand(4, n, 9, 14, generator=generator) for n in (3, 1))
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 9 * 14, 5))
    targets = torch.tensor([0, 3, 1, 4])
    mean, deviation = torch.tensor(MEAN), torch.tensor(DEVIATION)
    chosen = [ClassifierOutputTarget(int(target)) for target in targets]
    normalized = (images - mean) / deviation
    expected = DropInConfidence()(normalized, maps[:, 0].numpy(), chosen, network)
    with torch.no_grad():
        found = drop_in_logit(
            maps[:, 0], images, targets, lambda x: network((x - mean) / deviation)
        )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert 0 < (found > 0).sum() < 4


def test_road_s_accuracy_is_the_share_of_fractions_that_keep_the_class():
    generator = torch.Generator().manual_seed(3)
    images, maps = (torch.rand(3, n, 9, 14, generator=generator) for n in (3, 1))
    weights = torch.randn(4, 3 * 9 * 14, generator=generator)

    def predict(seen):
        return (seen.flatten(1) @ weights.T).softmax(dim=1)

    targets = predict(images).argmax(dim=1)
    fractions = tuple(tenth / 10 for tenth in range(1, 10))  # pytorch-grad-cam's percentiles
    way = {"order": "morf", "noise": 0.0}
    curve = torch.stack([
        road(maps[:, 0], images, targets, predict, BatchGenerator([1, 2, 3]), of="accuracy",
             fractions=(fraction,), **way) for fraction in fractions])  # fmt: skip
    assert set(curve.flatten().tolist()) == {0.0, 1.0}
    whole = road(maps[:, 0], images, targets, predict, BatchGenerator([1, 2, 3]), of="accuracy",
                 fractions=fractions, **way)  # fmt: skip
    torch.testing.assert_close(whole, curve.mean(dim=0))
