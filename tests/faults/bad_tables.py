"""CSV files, suites and options that are malformed or ask for what there is not."""

from pathlib import Path

from bad_row import Bad, drawn, lopsided, scans, text

DRY = (
    "run --dry-run --dataset phantom[images=40] --models gap_cnn --methods gradcam --no-controls "
    "--weights none --device cpu"
)


def manifest(name, content):
    """Return a row whose dataset is a table."""
    return Bad(f"manifest: {name}", "read t.csv", text("t.csv", content))


def groups(name, content):
    """Return a row whose groups come from a table."""
    command = "run --dry-run --dataset folder[path=scans] --groups g.csv --models gap_cnn"
    return Bad(f"groups: {name}", f"{command} --weights none --methods gradcam",
               text("g.csv", content))  # fmt: skip


def suite(name, content, more=""):
    """Return a row that runs a suite."""
    return Bad(f"suite: {name}", f"run --dry-run --suite s.toml{more}", text("s.toml", content))


def option(given):
    """Return a row for an option of a run; the last of several counts."""
    return Bad(f"option: {given}", f"{DRY} {given}")


ROWS = [
    manifest("empty", ""),
    manifest("no rows", "image,label\n"),
    manifest("no column", "image,kind\nscans/a/0.png,a\n"),
    manifest("a column twice", "image,label,label\nscans/a/0.png,a,b\n"),
    manifest("a slip in a column", "image,label,grup\nscans/a/0.png,a,1\n"),
    manifest("an image twice", "image,label\nscans/a/0.png,a\nscans/b/0.png,b\nscans/a/0.png,b\n"),
    manifest("Latin-1", "image,label\nscans/a/ä.png,a\n".encode("latin-1")),
    manifest("NUL", "image,label\nscans/a/0.png,a\0\n"),
    manifest("quote left open", 'image,label\n"scans/a/0.png,a\n'),
    manifest("a value too few", "image,label\nscans/a/0.png\n"),
    manifest("a value too many", "image,label\nscans/a/0.png,a,b\n"),
    manifest("no label", "image,label\nscans/a/0.png,\n"),
    manifest("one class", "image,label\nscans/a/0.png,a\n"),
    manifest("an image that is not there", "image,label\nscans/a/0.png,a\nscans/b/9.png,b\n"),
    manifest("a name that is too long", f"image,label\n{'x' * 5000}.png,a\n"),
    manifest("a field without end", f"image,label\n{'x' * 200_000},a\n"),
    Bad("manifest: absent", "read absent.csv"),
    Bad("manifest: too long a name", f"read {'x' * 5000}.csv"),
    groups("empty", ""),
    groups("no column", "image,group\na/0,1\n"),
    groups("unknown ids", "sample,group\na/O,1\n"),
    groups("a sample in two", "sample,group\na/0,1\na/0,2\n"),
    groups("a value too few", "sample,group\na/0\n"),
    groups("a value too many", "sample,group\na/0,1,2\n"),
    groups("NUL", "sample,group\na/0,\0\n"),
    groups("quote left open", 'sample,group\n"a/0,1\n'),
    option("--groups absent.csv"),
    option("--groups ."),
    suite("no TOML", "epochs = = 1\n"),
    suite("UTF-16", 'dataset = "phantom"\n'.encode("utf-16")),
    suite("unknown option", 'datset = "phantom"\n'),
    suite("unknown option in a part", "[parts.one]\nepoch = 1\n"),
    suite("text for a number", 'epochs = "many"\n'),
    suite("list for a text", 'dataset = ["phantom"]\n'),
    suite("number for a text", "dataset = 5\n"),
    suite("infinity", "epochs = inf\n"),
    suite("an option twice", "epochs = 1\nepochs = 2\n"),
    suite("nested without end", f"epochs = {'[' * 5000}{']' * 5000}\n"),
    suite("unknown profile", "[profiles.quick]\nepochs = 1\n", " --profile quik"),
    suite("unknown part", "[parts.one]\nepochs = 1\n", " --part two"),
    suite("a profile of itself", '[profiles.q]\nparts = ["q"]\n', " --profile q"),
    suite("parts as a number", "[profiles.q]\nparts = 5\n", " --profile q"),
    suite("a part that leads outside", "[parts.'../../evil']\nepochs = 1\n"),
    suite("NUL in a name", 'out = "a\\u0000b"\nweights = "none"\n'),
    Bad("suite: absent", "run --suite absent.toml"),
    Bad("suite: a folder", "run --suite ."),
    Bad("profile without suite", "run --profile quick"),
    *map(
        option,
        (
            "--epochs 0",
            "--epochs 1e3",
            "--learning-rate nan",
            "--learning-rate -1",
            "--mask-fraction 1.1",
            "--mask-fraction nan",
            "--train-fraction 0",
            "--image-size 31",
            "--image-size 1000000000",
            "--batch-size 0",
            "--limit -1",
            "--limit 1",
            "--seeds ,",
            "--seeds 0,0",
            "--seeds a",
            "--seeds -1",
            "--seeds 99999999999",
            "--split-seed 99999999999",
            "--split kfold:1",
            "--split kfold:abc",
            "--split kfold:²",
            "--split kfold:1000",
            "--split official",
            "--methods ,",
            "--methods gradcan",
            "--methods gradcam[x",
            "--methods gradcam]",
            "--methods [a=1]",
            "--methods rise[masks=abc]",
            "--methods occlusion[windw=3]",
            "--methods occlusion[window=3,window=4]",
            "--methods gradcam,gradcam",
            "--metrics iou[threshold=2]",
            "--metrics iou[threshold=nan]",
            "--models resnet51",
            "--models gap_cnn[width=3]",
            "--models resnet18[dropout=7]",
            "--models saliency_net[backbone=zzz]",
            "--dataset busy",
            "--dataset phantom[images=0]",
            "--dataset folder",
            "--dataset folder[path=absent]",
            "--analyses pcaa",
            "--analyses knn[k=0]",
            "--schedule step:0:0.1",
            "--augmentation rotate",
            "--augmentation none,crop",
            "--weights absent.pt",
            "--layer absent",
            "--judge autoencoder",
            "--device tpu",
            "--train-batch-size 1",
            "--part-size 0",
            "--workers -1",
            "--bogus",
            "--controls yes",
            "--quiet --verbose",
        ),
    ),
    Bad("masks= beside a table", "read t.csv,masks=scans", text("t.csv", "image,label\n")),
    Bad("unknown class", "read scans,classes=a+c", scans),
    Bad("class folder without images", "read scans", lambda: [scans(), Path("scans/c").mkdir()]),
    Bad("one class folder", "read scans", lambda: drawn("scans/a/0.png", lopsided())),
    Bad(
        "flat folder of masks for two classes",
        "read scans,masks=m",
        lambda: [scans(), drawn("m/0.png", lopsided())],
    ),
]
