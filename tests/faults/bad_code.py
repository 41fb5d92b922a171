"""What could run: plugins, pickles, archives, folders of runs; and maps that someone else made."""

import json
import stat
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from archives import make_tar, make_zip
from bad_row import Bad, Evil, evil_pickle, evil_weights, scans, written

from xaibench.results.integrity import write_record

COCO = "coco128-seg"  # whose archive nobody has published a checksum of
HEAD = "import xaibench\nfrom torch import Tensor\n"
RUN = {
    "options": {"dataset": "phantom", "image_size": 64, "plugin": []}, "classes": ["a", "b"],
    "dataset": "phantom", "methods": {"gradcam": {"family": "cam"}}, "models": {"gap_cnn": {}},
    "seeds": [0], "metrics": {"iou": {"family": "localization", "higher_is_better": True}},
    "protocol": {}, "splits": {},
}  # fmt: skip


def plugin(name, code):
    """Return a row that lists a plugin file."""
    return Bad(f"plugin: {name}", "list methods --plugin p.py", lambda: written("p.py", code))


def method(signature, body="images[:, 0]"):
    """Return the code of a method."""
    return f"{HEAD}@xaibench.method()\ndef {signature} -> Tensor:\n    return {body}\n"


def archive(name, content):
    """Return a row that fetches COCO from an archive that lies there already."""
    return Bad(
        f"archive: {name}",
        "fetch coco_yolo --data-root .",
        lambda: written("coco128-seg.zip", content() if callable(content) else content),
    )


def zip_link():
    """Return a zip archive with a link that leads outside."""
    member = zipfile.ZipInfo(f"{COCO}/evil")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return make_zip({member: "/etc/passwd"})


def tar_link(kind):
    """Return a tar archive with a link or a device."""
    member = tarfile.TarInfo(f"{COCO}/evil")
    member.type, member.linkname = kind, "/etc/passwd"
    return make_tar({member: b""})


def bomb():
    """Return a small archive of many zeros."""
    return make_tar({f"{COCO}/zeros": bytes(30_000_000)})


def locked():
    """Return an archive that says it is protected by a password."""
    content = bytearray(make_zip({f"{COCO}/a.png": b"secret"}))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + flags] |= 1
    return bytes(content)


def weights(name, make):
    """Return a row that explains with somebody's weights."""
    command = "explain scans/a/0.png --model gap_cnn --weights w.pt --out x"
    return Bad(f"weights: {name}", command, lambda: [scans(), make("w.pt")])


def maps(name, make, more=""):
    """Return a row that scores somebody's maps."""
    command = "score m.npz --dataset folder[path=scans] --metrics iou --no-controls --split all"
    return Bad(f"maps: {name}", command + more, lambda: [scans(), make()])


IDS = ("a/0", "a/1", "b/0", "b/1")


def saved(arrays=None, **more):
    """Write maps of all images, some of them others or more."""
    given = {name: np.random.default_rng(1).random((3, 5)) for name in IDS} | (arrays or {}) | more
    np.savez("m.npz", **{name: array for name, array in given.items() if array is not None})


def changed(offset):
    """Flip a bit of a file of maps."""
    saved()
    content = bytearray(Path("m.npz").read_bytes())
    content[offset] ^= 1
    written("m.npz", bytes(content))


def run_folder(trained=None, **said):
    """Write a folder that could be a run's, its model in its place."""
    scans()
    written("run/run.json", json.dumps({**RUN, **said}))
    if trained:
        folder = Path("run/models/phantom/holdout/gap_cnn/seed0")
        trained(folder / "model.pt")
        content = (folder / "model.pt").read_bytes()
        write_record(folder / "model.json", {"sha256": sha256(content).hexdigest()})


def of_run(name, command, make):
    """Return a row about a run's folder."""
    return Bad(f"run: {name}", command, make)


def no_runs():
    """Yield rows for folders that are no runs, for each command that takes one."""
    makers = {
        "an empty folder": lambda: [scans(), Path("run").mkdir()],
        "run.json cut off": lambda: [scans(), written("run/run.json", json.dumps(RUN)[:50])],
        "run.json of wrong types": lambda: run_folder(options=5, models=7, classes=3),
    }
    for name, make in makers.items():
        yield of_run(f"report of {name}", "report run", make)
        yield of_run(f"diagnose {name}", "diagnose run", make)
        yield of_run(f"explain by {name}", "explain scans/a/0.png --run run --out x", make)
        yield of_run(f"score under {name}", "score m.npz --run run",
                     lambda make=make: [make(), saved()])  # fmt: skip
    yield of_run(
        "compare with an empty folder", "compare run scans --out x", makers["an empty folder"]
    )
    yield of_run("compare with itself", "compare run run --out x", makers["an empty folder"])


CODED = {"options": {**RUN["options"], "plugin": ["evil.py"]}}


def coded():
    """Write a run whose plugin file is evil."""
    run_folder(**CODED)
    written("evil.py", "import os\nos.mkdir('UNPICKLED')\n")
    saved()


ROWS = [
    Bad("plugin: absent", "list --plugin absent.py"),
    Bad("plugin: a folder", "list --plugin ."),
    Bad("plugin: no Python file", "list --plugin p.txt", lambda: written("p.txt", "x = 1")),
    plugin("syntax error", "def (:\n"),
    plugin("raises", "x = 1\n1 / 0\n"),
    plugin("raises in several lines", "raise ValueError('a\\nb')\n"),
    plugin("exits", "import sys\nsys.exit(0)\n"),
    plugin("raises what nobody catches", "class Own(BaseException): pass\nraise Own('x')\n"),
    plugin("recursion without end", "def f(): return f()\nf()\n"),
    plugin("imports what is not there", "import no_such_package\n"),
    plugin("NUL", b"x = '\0'\n"),
    plugin("declares nothing", "x = 1\n"),
    plugin("unknown word", method("mine(imges: Tensor)")),
    plugin("option without default", method("mine(images: Tensor, *, a: int)")),
    plugin("name taken", method("gradcam(images: Tensor)")),
    plugin("no name", f"{HEAD}xaibench.method()(lambda images: images)\n"),
    plugin(
        "unknown trait", f"{HEAD}@xaibench.method(famly='cam')\ndef mine(images): return images\n"
    ),
    weights("a pickle that carries code", evil_pickle),
    weights("code beside tensors", evil_weights),
    weights("empty", lambda path: written(path, b"")),
    weights("text", lambda path: written(path, "hello")),
    weights("a list", lambda path: torch.save([1, 2], path)),
    weights("another network's", lambda path: torch.save({"x": torch.zeros(2)}, path)),
    weights("a folder", lambda path: Path(path).mkdir()),
    archive("../ in a zip", make_zip({f"{COCO}/../../evil": b""})),
    archive("../ in a tar", make_tar({f"{COCO}/../../evil": b""})),
    archive("absolute path", make_zip({"/evil": b""})),
    archive("link in a zip", zip_link),
    archive("link in a tar", lambda: tar_link(tarfile.SYMTYPE)),
    archive("hard link", lambda: tar_link(tarfile.LNKTYPE)),
    archive("device", lambda: tar_link(tarfile.CHRTYPE)),
    archive("bomb", bomb),
    archive("cut off", make_zip({f"{COCO}/a.png": bytes(5000)})[:2000]),
    archive("password", locked),
    archive("another set's", make_zip({"other/a.png": b""})),
    archive("archive in an archive", make_zip({"inner.zip": make_zip({f"{COCO}/a.png": b""})})),
    archive("web page", b"<html>sign in</html>"),
    Bad("fetch: unknown set", "fetch busy"),
    Bad("fetch: with options", "fetch busi[classes=benign+normal] --data-root ."),
    maps("pickled objects", lambda: saved({"a/0": np.array([Evil()], dtype=object)})),
    maps("a pickle", lambda: evil_pickle("m.npz")),
    maps(
        "npy of objects",
        lambda: [
            np.save("m.npy", np.array([Evil()], dtype=object), allow_pickle=True),
            Path("m.npy").replace("m.npz"),
        ],
    ),
    maps("absent", lambda: None),
    maps("a folder", lambda: Path("m.npz").mkdir()),
    maps("empty", lambda: written("m.npz", b"")),
    maps("no array", lambda: np.savez("m.npz")),
    maps("unknown id", lambda: saved({"a/O": np.ones((3, 5))})),
    maps("missing id", lambda: saved({"b/1": None})),
    maps("three dimensions", lambda: saved({"a/0": np.ones((2, 3, 5))})),
    maps("whole numbers", lambda: saved({"a/0": np.ones((3, 5), int)})),
    maps("no pixels", lambda: saved({"a/0": np.ones((0, 5))})),
    maps("all NaN", lambda: saved({name: np.full((3, 5), np.nan) for name in IDS})),
    maps("too large for float32", lambda: saved({name: np.full((3, 5), 1e300) for name in IDS})),
    maps("cut off", lambda: [saved(), written("m.npz", Path("m.npz").read_bytes()[:900])]),
    maps("a bit flipped", lambda: changed(200)),
    maps("name that leads outside", saved, " --name ../../evil"),
    maps("name of a method of ours", saved, " --name gradcam"),
    maps("share of NaN", saved, " --learned nan"),
    maps("unknown model", saved, " --model resnet51"),
    maps("a network that has learned nothing", saved, " --model gap_cnn"),
    *no_runs(),
    of_run(
        "weights that carry code",
        "explain scans/a/0.png --run run --out x",
        lambda: run_folder(evil_weights),
    ),
    of_run(
        "weights of another network",
        "explain scans/a/0.png --run run --out x",
        lambda: run_folder(
            lambda path: [path.parent.mkdir(parents=True), torch.save({"x": torch.zeros(2)}, path)]
        ),
    ),
    of_run("nothing trained", "explain scans/a/0.png --run run --out x", run_folder),
    of_run("explain: names a plugin file", "explain scans/a/0.png --run run --out x", coded),
    of_run("diagnose: names a plugin file", "diagnose run", coded),
    of_run("score: names a plugin file", "score m.npz --run run", coded),
    Bad("explain: no such picture", "explain absent.png --model gap_cnn --weights none"),
    Bad(
        "explain: no picture",
        "explain t.txt --model gap_cnn --weights none",
        lambda: written("t.txt", "x"),
    ),
    Bad("explain: nothing learned", "explain scans --model gap_cnn --out x", scans),
    Bad("explain: nothing named", "explain scans --out x", scans),
    Bad(
        "audit: below a file",
        "audit --dataset folder[path=scans] --out f/x",
        lambda: [scans(), written("f", "")],
    ),
    Bad("audit: where nobody may write", "audit --dataset folder[path=scans] --out /proc/x", scans),
    Bad("audit: no such data", "audit --dataset busi --data-root . --out x"),
    Bad("study: unknown", "study los"),
    Bad("check: unknown", "check gradcan"),
    Bad("layers: unknown", "layers gap_cnm"),
    Bad("metrics: unknown", "metrics iuo"),
]
