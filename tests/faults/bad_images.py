"""Images and masks that are damaged, or that could be read in two ways."""

import struct
import zlib
from pathlib import Path

import numpy as np
from bad_row import SIDES, Bad, drawn, lopsided, scans, turned, written
from PIL import Image

IMAGE, MASK = "scans/a/0.png", "scans/a/0_mask.png"
READ = "read scans"


def after(change, *, masked=True):
    """Return what draws scans and then changes them."""

    def make():
        scans()
        if not masked:
            Path(MASK).unlink()
        change()

    return make


def image(path):
    """Return what moves the first image's place to another ending."""
    Path(IMAGE).unlink()
    return f"scans/a/0{path}"


def claiming(width, height):
    """Return a PNG whose header claims a size that its pixels don't have."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(99))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def frames(count, size=SIDES):
    """Return pictures of growing gray."""
    return [Image.fromarray(np.full(size, 40 * n, np.uint8)) for n in range(1, count + 1)]


def saved_all(path, pictures):
    """Save several pictures in one file."""
    pictures[0].save(path, save_all=True, append_images=pictures[1:])


def colored():
    """Return a mask in green and red."""
    pixels = np.zeros((*SIDES, 3), np.uint8)
    pixels[2:7, 3:20], pixels[9:12] = (0, 255, 0), (255, 0, 0)
    return pixels


def only_alpha():
    """Return a mask drawn in black on nothing."""
    pixels = np.zeros((*SIDES, 4), np.uint8)
    pixels[..., 3] = lopsided()
    return pixels


def floats(fill):
    """Return floating point numbers."""
    return np.where(lopsided() > 0, np.float32(fill), np.float32(0))


def cut():
    """Cut a file off in the middle."""
    Path(IMAGE).write_bytes(Path(IMAGE).read_bytes()[:400])


def linked(to):
    """Put a link in the image's place."""
    Path(IMAGE).unlink()
    Path(IMAGE).symlink_to(to)


ROWS = [
    Bad("image cut off", READ, after(cut)),
    Bad("image of no bytes", READ, after(lambda: written(IMAGE, b""))),
    Bad("text as image", READ, after(lambda: written(IMAGE, "no image"))),
    Bad(
        "program as image",
        READ,
        after(lambda: written(IMAGE, "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")),
    ),
    Bad("image of side 0", READ, after(lambda: written(IMAGE, claiming(0, 0)))),
    Bad("bomb: 60000x60000", READ, after(lambda: written(IMAGE, claiming(60000, 60000)))),
    Bad("large claim without pixels", READ, after(lambda: written(IMAGE, claiming(12000, 12000)))),
    Bad(
        "damaged TIFF",
        READ,
        after(lambda: written(image(".tif"), b"II*\0\x08\0\0\0" + b"\xff" * 99)),
    ),
    Bad("floating point image", READ, after(lambda: drawn(image(".tif"), floats(0.5)))),
    Bad(
        "32-bit image beyond 16 bits",
        READ,
        after(lambda: drawn(image(".tif"), lopsided().astype(np.int32) * 1000)),
    ),
    Bad(
        "signed image",
        READ,
        after(lambda: drawn(image(".tif"), lopsided().astype(np.int32) - 1000)),
    ),
    Bad(
        "image in Lab colors",
        READ,
        after(lambda: Image.new("LAB", SIDES[::-1]).save(image(".tif"))),
    ),
    Bad("animated image", READ, after(lambda: saved_all(IMAGE, frames(3)))),
    Bad(
        "GIF called PNG, animated",
        READ,
        after(lambda: saved_all("g.gif", frames(3)) or Path("g.gif").replace(IMAGE)),
    ),
    Bad("stack of slices", READ, after(lambda: saved_all(image(".tif"), frames(4)))),
    Bad("link to nothing", READ, after(lambda: linked("absent.png"))),
    Bad("link to itself", READ, after(lambda: linked("0.png"))),
    Bad("two images of one name", READ, after(lambda: drawn("scans/a/0.jpg", lopsided()))),
    Bad(
        "one name, its accent in two ways",
        READ,
        after(lambda: [drawn(f"scans/a/{name}.png", lopsided()) for name in ("e\u0301", "\u00e9")]),
    ),
    Bad("name with a line break", READ, after(lambda: drawn("scans/a/x\ny.png", lopsided()))),
    Bad(
        "name with an escape sequence",
        READ,
        after(lambda: drawn("scans/a/\x1b[2J.png", lopsided())),
    ),
    Bad("name that is no UTF-8", READ, after(lambda: drawn("scans/a/\udcff.png", lopsided()))),
    Bad(
        "folder instead of images",
        READ,
        lambda: [Path(f"scans/{k}/0.png").mkdir(parents=True) for k in "ab"],
    ),
    Bad("mask of another size", READ, after(lambda: drawn(MASK, lopsided().T))),
    Bad("mask of zeros and ones", READ, after(lambda: drawn(MASK, lopsided(1)))),
    Bad("mask in two colors", READ, after(lambda: drawn(MASK, colored()))),
    Bad(
        "mask in red alone",
        READ,
        after(
            lambda: (
                drawn(MASK, colored()[..., [1, 0, 2]] * [1, 0, 0])
                if False
                else drawn(MASK, np.stack([lopsided(), *[lopsided(0)] * 2], 2))
            )
        ),
    ),
    Bad("mask drawn as transparency", READ, after(lambda: drawn(MASK, only_alpha()))),
    Bad(
        "mask of NaN",
        READ,
        after(lambda: drawn("scans/a/0_mask.tif", floats(np.nan)), masked=False),
    ),
    Bad(
        "mask of shares",
        READ,
        after(lambda: drawn("scans/a/0_mask.tif", floats(0.5)), masked=False),
    ),
    Bad("mask cut off", READ, after(lambda: written(MASK, Path(MASK).read_bytes()[:60]))),
    Bad(
        "masks without images",
        READ,
        after(lambda: [drawn(f"scans/a/{n}_mask.png", lopsided()) for n in (7, 8, 9)]),
    ),
    Bad(
        "masks that fit no image",
        "read scans,masks=other",
        after(lambda: drawn("other/zz.png", lopsided())),
    ),
    Bad("image upside down by EXIF", READ, after(lambda: drawn(IMAGE, lopsided(), exif=turned(3)))),
    Bad("mask upside down by EXIF", READ, after(lambda: drawn(MASK, lopsided(), exif=turned(3)))),
    Bad(
        "image lying by EXIF, mask drawn on it as stored",
        READ,
        after(lambda: drawn(IMAGE, lopsided(), exif=turned(6))),
    ),
    Bad(
        "square image lying by EXIF",
        READ,
        after(
            lambda: [
                drawn(IMAGE, lopsided()[:, :24], exif=turned(6)),
                drawn(MASK, lopsided()[:, :24]),
            ]
        ),
    ),
    Bad(
        "image and mask turned apart by EXIF",
        READ,
        after(
            lambda: [
                drawn(IMAGE, lopsided(), exif=turned(6)),
                drawn(MASK, lopsided(), exif=turned(8)),
            ]
        ),
    ),
    Bad(
        "boxes on an image turned by EXIF",
        READ,
        after(
            lambda: [
                drawn(IMAGE, lopsided(), exif=turned(6)),
                written(
                    "scans/a/0.xml",
                    "<annotation><object><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax><ymax>5</ymax></bndbox></object></annotation>",
                ),
            ],
            masked=False,
        ),
    ),
]
