"""The contents of a run of four rows and a control, for tests of what is drawn of them."""

import numpy as np
import pandas as pd
from frames import NAN, metric, predicted, rows_of, run_of

from xaibench.report.facts.material import Material
from xaibench.report.judging.chapter import judge_all
from xaibench.results.folder import Place

MARKUP = "<script>alert('$x_{')</script>"
IMAGES = 30
BASE = {"gradcam": 0.6, "hirescam": 0.58, "rise[a=x|y]": 0.3, "spn": 0.7}
SECONDS = {"gradcam": 0.01, "hirescam": 0.02, "rise[a=x|y]": 2.0, "spn": 0.002}
RUN = run_of(
    metrics={"iou": metric(), "drop": metric("faithfulness", higher=False), "other": metric()}
)


def make_contents(folder):
    """By ``drop``, where lower is better, the rows have another order; one lacks an image."""
    rng = np.random.default_rng(3)
    scores = []
    for shift, (method, base) in enumerate(BASE.items()):
        values = rng.normal(base, 0.1, IMAGES).clip(0, 1)
        if method == "hirescam":
            values[4] = NAN
        scores += rows_of(method, "iou", values) + rows_of(method, "drop", 0.1 * shift + values / 9)
    scores += rows_of("center", "iou", np.full(IMAGES, 0.4)) + rows_of("center", "drop", [0.5] * 30)
    labels = np.arange(IMAGES) % 3 // 2
    said = np.where(np.arange(IMAGES) < 6, 0, labels)
    costs = pd.DataFrame(rows_of("", "", [0] * len(SECONDS)))[[*Place._fields, "method"]].assign(
        method=list(SECONDS), seconds_per_image=list(SECONDS.values()), forwards_per_image=1.0,
        peak_memory_mb=1.0,
    )  # fmt: skip
    material = Material.of(
        RUN, pd.DataFrame(scores), predicted(labels, said).assign(regions=1), costs
    )
    return judge_all(material, folder)
