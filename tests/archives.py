"""Archives made in memory, of either kind."""

import io
import tarfile
import zipfile

import numpy as np

FOLDER = "Data"
CONTENT = {f"{FOLDER}/a/1.bin": np.random.default_rng(0).bytes(700_000), f"{FOLDER}/b.txt": b"b"}


def make_zip(members):
    """Return a zip archive; names may be `zipfile.ZipInfo`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_tar(members, mode="w:gz"):
    """Return a tar archive; names may be `tarfile.TarInfo`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def check(root):
    """Make sure that ``root`` holds the folder with its content, and nothing else."""
    assert {
        f"{FOLDER}/{path.relative_to(root / FOLDER).as_posix()}": path.read_bytes()
        for path in (root / FOLDER).rglob("*")
        if path.is_file()
    } == CONTENT
    assert [path.name for path in root.iterdir()] == [FOLDER]
