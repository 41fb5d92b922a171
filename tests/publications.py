"""Publications made by hand: what `xaibench publish` leaves, without a run."""

from frames import NAN, NET, SAID, metric, rows_of, run_of, save
from PIL import Image

from xaibench.core.csv_cells import to_csv
from xaibench.report.judging.estimates import BoardRow, Estimate, to_frame

MARKUP = "<script>alert(1)</script>"
DOCUMENT = """\
# Leaderboard: busi

## busi, holdout

### What may be concluded

- [press](javascript:alert(1)) <img src=x onerror=alert(1)>

### Recommendation

- **Which:** `{name}`.
- **How sure:** not at all.
- **What would change it:** more images.

### Localization

never shown

### Cost of a map

| method | seconds |
| --- | --- |
| {name} | 1 |

![all](https://example.org/x.png)
"""


def row(method, value, *, kind="method", model=NET):
    estimate = Estimate(value, 4, 0, 4, True, value - 0.1, value + 0.1, "a", 1, 2, NAN)
    supervision = "" if kind == "control" else "labels"
    return BoardRow(
        "busi", "holdout", model, method, kind, supervision, NAN, {"iou": estimate}, {}, 0
    )


def published(folder, *, date="2026-01-02", mean=0.45, name="gradcam", **said):
    """Write a publication whose method is called `name`; return its folder."""
    methods = SAID["methods"] | {name: {"family": "cam", "blind": False}}
    run = run_of(
        publication=True,
        date=f"{date}T10:00:00",
        methods=methods,
        metrics={"iou": metric()},
        **said,
    )
    save(folder, run, rows_of(name, "iou", [mean]))
    rows = [row(name, mean), row("center", 0.15, kind="control", model="")]
    to_csv(to_frame(rows, run.protocol_hash), folder / "leaderboard.csv")
    (folder / "leaderboard.md").write_text(DOCUMENT.format(name=name), "utf-8")
    (folder / "figures").mkdir()
    Image.new("RGB", (40, 30), "red").save(folder / "figures" / "board-iou.png")
    Image.new("RGB", (40, 30), "red").save(folder / "grid.jpg")
    return folder
