"""What the protocol hands to libraries: a golden outcome of each, so that a change is noticed.

`docs/determinism.md` lists them. Streams and whole numbers must come out exactly; sums to ten
digits on the CPU's float64 and five in float32, which other processors add up otherwise.
"""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_masks
from scipy import ndimage, stats
from skimage.measure import find_contours
from skimage.metrics import structural_similarity
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from torch import nn
from torch.nn import functional

from xaibench.core.imputation import impute
from xaibench.core.seeds import BatchGenerator, seed_of
from xaibench.core.superpixels import find_superpixels


def near(expected, relative=1e-10):
    return pytest.approx(expected, rel=relative, abs=1e-12)


def test_seeds_and_torchs_streams():
    assert seed_of("golden") == 7974589751032975054
    generator = BatchGenerator([seed_of("golden")])
    assert generator.uniform(3)[0].tolist() == near(
        [0.37628722190856934, 0.8302784562110901, 0.18943673372268677]
    )
    assert generator.normal(3)[0].tolist() == near(
        [-1.2857449054718018, -0.23215654492378235, 0.12021173536777496], 1e-6
    )
    # From sixteen numbers on torch draws by other means.
    assert generator.normal(20)[0, :3].tolist() == near(
        [0.5390496850013733, -2.0467801094055176, 0.803608238697052], 1e-6
    )
    assert generator.normal_copies(0, 1, 3, 2).ravel().tolist() == near(
        [0.419239342212677, 1.1116186380386353, 1.5627326965332031, 0.1480943262577057], 1e-6
    )
    torch.manual_seed(7)
    assert torch.randperm(9).tolist() == [0, 5, 8, 1, 7, 2, 3, 6, 4]
    assert torch.randint(100, (4,)).tolist() == [88, 61, 58, 31]
    assert torch.randn_like(torch.ones(2)).tolist() == near(
        [-0.3556250333786011, 1.2323857545852661], 1e-6
    )
    of_releases = {"2.6": [0, 2, 2, 0, 2, 0, 2, 0], "2.14": [0, 0, 2, 2, 2, 2, 2, 0]}
    release = ".".join(torch.__version__.split(".")[:2])
    known = [of_releases[release]] if release in of_releases else of_releases.values()
    assert nn.Dropout(0.5)(torch.ones(8)).tolist() in known


def test_first_weights_of_layers():
    torch.manual_seed(7)
    assert nn.Conv2d(2, 1, 2).weight.ravel().tolist()[:3] == near(
        [0.024693964049220085, -0.2129783034324646, 0.11257966607809067], 1e-6
    )
    assert nn.Linear(3, 1).weight[0].tolist() == near(
        [0.40560975670814514, 0.4098530411720276, 0.05881491303443909], 1e-6
    )


def test_numpys_streams():
    random = np.random.default_rng(7)
    assert random.uniform(-1, 1, 3).tolist() == near(
        [0.25019093320933394, 0.794427601939151, 0.551371380490387]
    )
    assert random.choice([-1.0, 1.0], 4).tolist() == [1, -1, -1, -1]
    assert random.integers(0, 100, 4).tolist() == [28, 87, 91, 0]
    assert random.permutation(6).tolist() == [3, 2, 0, 4, 1, 5]
    assert random.normal(0, 1, 2).tolist() == near([0.35688700816006075, 0.10541424899789856])
    order = np.arange(8)
    np.random.RandomState(7).shuffle(order)
    assert order.tolist() == [2, 5, 0, 6, 3, 1, 4, 7]


def test_pillow_resizes_and_decodes():
    gray = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
    image = Image.fromarray(gray)
    smaller = np.asarray(image.resize((3, 4), Image.Resampling.BILINEAR))
    assert smaller.tolist() == [[18, 33, 48], [75, 90, 105], [133, 148, 163], [190, 205, 220]]
    boxed = np.asarray(image.resize((3, 2), Image.Resampling.BOX))
    assert boxed.tolist() == [[53, 70, 88], [176, 193, 211]]
    file = io.BytesIO()
    Image.fromarray(np.stack([gray, 255 - gray, gray // 2], -1)).save(file, "JPEG", quality=80)
    read = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    assert read.sum(axis=(0, 1)).tolist() == [4187, 4761, 2069]
    assert read[2, :3].tolist() == [[106, 151, 48], [108, 148, 49], [114, 143, 53]]


def test_torch_resizes_maps():
    maps = torch.tensor([[[[1.0, 2, 4], [0, 8, 2]]]])
    wider = functional.interpolate(maps, (3, 4), mode="bilinear", align_corners=False)
    assert wider[0, 0].tolist() == [[1, 1.625, 2.75, 4], [0.5, 3.3125, 4.25, 3], [0, 5, 5.75, 2]]


def test_superlu_solves_what_imputation_asks():
    image = torch.arange(20.0).reshape(1, 1, 4, 5) ** 2 / 100
    removed = torch.zeros(1, 4, 5, dtype=torch.bool)
    removed[0, 1, 1:4] = removed[0, 2, 2] = True
    found = impute(image, removed[:, None])[0, 0, 0]
    assert found[removed[0]].tolist() == near(
        [0.6051813364028931, 0.7890673875808716, 0.8851813673973083, 1.7040414810180664], 1e-6
    )
    assert torch.equal(found[~removed[0]], image[0, 0][~removed[0]])


def blobs():
    random = np.random.default_rng(0)
    return np.concatenate([random.normal(center, 0.3, (12, 4)) for center in (0, 3, 7)])


def test_scikit_learns_components_clusters_and_layouts():
    points = np.array([[3, 1, 0], [1, -1, 0], [-2, 0.5, 1], [-2, -0.5, -1], [4, 0, 0.5]])
    fitted = PCA(2, random_state=0).fit(points)
    assert fitted.components_[0].tolist() == near(  # the sign, too
        [0.995745783033996, 0.07180955717030098, 0.05773840203035965]
    )
    assert fitted.explained_variance_ratio_.tolist() == near(
        [0.8742819392855529, 0.08801426710671026]
    )
    clusters = KMeans(3, n_init=10, random_state=0).fit(blobs())
    assert clusters.labels_[::4].tolist() == [2, 2, 2, 0, 0, 0, 1, 1, 1]
    assert clusters.inertia_ == near(10.948522382182563)
    # Layouts depend on last digits; who is whose neighbor hardly does.
    places = TSNE(2, perplexity=5, init="pca", random_state=0).fit_transform(blobs())
    assert trustworthiness(blobs(), places, n_neighbors=5) == pytest.approx(0.98, abs=0.01)


def test_scipys_images():
    marks = np.zeros((5, 7))
    marks[1:3, 2:6] = marks[4, 0] = 1
    assert ndimage.label(marks)[1] == 2
    assert ndimage.distance_transform_edt(marks).sum() == 9
    assert ndimage.gaussian_filter(marks, 1)[2, :3].tolist() == near(
        [0.0779087721, 0.2100300776, 0.4517229318], 1e-8
    )
    assert (ndimage.uniform_filter(marks, (3, 3))[1] * 9).tolist() == near([0, 2, 4, 6, 6, 4, 2])


def test_scipys_distributions_and_tests():
    assert stats.norm.ppf(0.975) == near(1.959963984540054)
    assert stats.t.ppf(0.975, 4) == near(2.7764451051977934)
    assert stats.t.sf(2, 7) == near(0.042809664281488025)
    ends = stats.binomtest(3, 12).proportion_ci(method="wilson")
    assert [ends.low, ends.high] == near([0.08894166839405471, 0.5323053349335657])
    assert stats.wilcoxon([1, 2, -1.5, 3, 4]).pvalue == 0.1875
    assert stats.kendalltau([1, 2, 3, 4], [1, 3, 2, 4]).statistic == near(2 / 3)
    assert stats.rankdata([2, 1, 2, 5]).tolist() == [2.5, 1, 2.5, 4]


def test_scikit_images_parts_and_likeness():
    image = np.zeros((16, 24, 3))
    image[:, 12:], image[8:, :12] = (1, 0.5, 0), (0, 0, 1)
    parts = find_superpixels(torch.from_numpy(image).permute(2, 0, 1), 4)
    assert parts[::5, ::7].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 1, 1], [2, 2, 1, 1]]
    ramp = np.arange(64.0).reshape(8, 8) / 64
    assert structural_similarity(ramp, ramp.T, data_range=1) == near(0.24828821153181557)
    marks = np.zeros((5, 7))
    marks[1:3, 2:6] = 1
    assert [len(line) for line in find_contours(marks, 0.5)] == [13]


def after_steps(build, schedule=None):
    weights = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = build([weights])
    scheduler = schedule(optimizer) if schedule else None
    for _ in range(4):
        optimizer.zero_grad()
        weights.square().sum().backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
    return weights.tolist()


def test_torchs_optimizers():
    adamw = after_steps(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.01))
    assert adamw == near([0.6005986332893372, -1.5941530466079712], 1e-5)
    sgd = after_steps(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
    assert sgd == near([-0.3086000084877014, 0.6172000169754028], 1e-5)
    cycle = after_steps(
        lambda p: torch.optim.AdamW(p, lr=0.1),
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=4),
    )
    assert cycle == near([0.9059383869171143, -1.9047600030899048], 1e-5)


def test_pycocotools_fill_polygons():
    filled = coco_masks.decode(
        coco_masks.merge(coco_masks.frPyObjects([[1, 1, 5, 1, 5, 3, 1, 3]], 5, 7))
    )
    expected = np.zeros((5, 7))
    expected[1:3, 1:5] = 1
    assert np.array_equal(filled, expected)
