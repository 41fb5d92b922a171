import numpy as np
import pytest
from PIL import Image
from skimage.measure import label, regionprops

from xaibench.report.pictures import grid
from xaibench.report.pictures.grid import GridRow, PictureBlock, draw_grid

BLUE = (0, 0, 255)
ROWS, COLUMNS = 40, 80


def picture(mask=None, **maps):
    image = np.full((ROWS, COLUMNS, 3), BLUE, np.uint8)
    return GridRow("benign (1)\ntruth benign", image, mask, maps)


def read(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def cells(pixels):
    """Return the boxes (top, left, bottom, right) of all pieces that show the blue image."""
    blue = (pixels == BLUE).all(axis=2)
    found = [region.bbox for region in regionprops(label(blue)) if region.area > 1000]
    return sorted(found, key=lambda box: (box[0], box[1]))


def corners(pixels, box, inset=8):
    top, left, bottom, right = box
    rows, columns = (top + inset, bottom - inset), (left + inset, right - inset)
    return [tuple(pixels[row, column]) for row in rows for column in columns]


def test_a_map_lies_on_its_image_neither_transposed_nor_flipped(tmp_path):
    heat = np.zeros((ROWS, COLUMNS), np.float32)
    heat[:15, -30:] = 1
    draw_grid([picture(gradcam=heat)], tmp_path / "grid.png")
    pixels = read(tmp_path / "grid.png")
    plain, heated = cells(pixels)
    top, left, bottom, right = heated
    assert (right - left) / (bottom - top) == pytest.approx(COLUMNS / ROWS, rel=0.02)
    assert corners(pixels, plain) == [BLUE] * 4
    top_left, top_right, bottom_left, bottom_right = corners(pixels, heated)
    assert (top_left, bottom_left, bottom_right) == (BLUE,) * 3
    # The hot end of inferno, pale yellow, mixed with a little blue.
    assert top_right[0] > 180
    assert top_right[1] > 180


def test_heat_is_the_more_opaque_the_hotter(tmp_path):
    cool, warm = (np.full((ROWS, COLUMNS), value, np.float32) for value in (0.2, 0.8))
    draw_grid([picture(none=0 * cool, cool=cool, warm=warm)], tmp_path / "grid.png")
    pixels = read(tmp_path / "grid.png")
    first, second = cells(pixels)
    step = second[1] - first[1]
    row = (first[0] + first[2]) // 2
    center = (first[1] + first[3]) // 2
    blues = [pixels[row, center + index * step][2] for index in range(4)]
    assert blues[0] == blues[1] == 255 > blues[2] > blues[3]


def test_the_mask_is_outlined_in_every_cell_where_it_lies(tmp_path):
    mask = np.zeros((ROWS, COLUMNS), np.int8)
    mask[-10:, :20] = 1
    heat = np.zeros((ROWS, COLUMNS), np.float32)
    draw_grid([picture(mask, gradcam=heat)], tmp_path / "grid.png")
    pixels = read(tmp_path / "grid.png")
    cyan = np.abs(pixels - (0x2E, 0xE6, 0xFF)).max(axis=2) < 12
    whole = [box for box in cells(pixels) if box[3] - box[1] > 200]
    assert len(whole) == 2
    for top, left, bottom, right in whole:
        inside = cyan[top:bottom, left:right]
        height, width = inside.shape
        assert inside[round(0.75 * height) - 4 : round(0.75 * height) + 4, : width // 5].any()
        assert not inside[: height // 2].any()
        assert not inside[:, width // 2 :].any()


def test_a_missing_map_leaves_its_cell_empty(tmp_path):
    heat = np.zeros((ROWS, COLUMNS), np.float32)
    rows = [picture(gradcam=heat, rise=heat), picture(rise=heat)]
    draw_grid(rows, tmp_path / "grid.png", title="holdout")
    boxes = cells(read(tmp_path / "grid.png"))
    lefts = [left for _, left, _, _ in boxes]
    assert len(boxes) == 5
    assert lefts[3:] == [lefts[0], lefts[2]]


def test_many_methods_go_on_below_with_all_images_again(tmp_path):
    heat = np.zeros((ROWS, COLUMNS), np.float32)
    rows = [picture(**{f"m{number:02}": heat for number in range(18)}), picture(m17=heat)]
    draw_grid(rows, tmp_path / "grid.png")
    boxes = cells(read(tmp_path / "grid.png"))
    tops = [top for top, *_ in boxes]
    assert [tops.count(top) for top in dict.fromkeys(tops)] == [17, 1, 3, 2]


def test_undefined_heat_shows_the_image(tmp_path):
    heat = np.full((ROWS, COLUMNS), np.nan, np.float32)
    draw_grid([picture(gradcam=heat)], tmp_path / "grid.png")
    assert len(cells(read(tmp_path / "grid.png"))) == 2


def test_no_rows_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one row"):
        draw_grid([], tmp_path / "grid.png")


@pytest.mark.slow
@pytest.mark.parametrize(("images", "methods"), [(4, 200), (60, 3), (60, 200)])
def test_a_grid_is_never_larger_than_programs_can_show(tmp_path, monkeypatch, images, methods):
    said = []
    written = grid.GridSheet.write
    monkeypatch.setattr(
        grid.GridSheet, "write",
        lambda sheet, left, top, text, **style: (
            said.append((top, text, sheet.height)), written(sheet, left, top, text, **style)
        ),
    )  # fmt: skip
    image, heat = np.zeros((9, 6, 3), np.uint8), np.zeros((9, 6), np.float32)
    row = {f"m{place}": heat for place in range(methods)}
    grid.draw_grid(
        [grid.GridRow(f"i{at}", image, None, row) for at in range(images)], tmp_path / "g.png", "t"
    )
    with Image.open(tmp_path / "g.png") as found:
        assert max(found.size) <= 4000
    [(top, text, height)] = [each for each in said if each[1].startswith("left out")]
    assert top < height
    shown = {text for _, text, _ in said}
    lost = [sum(f"{kind}{at}" not in shown for at in range(count))
            for kind, count in (("m", methods), ("i", images))]  # fmt: skip
    told = [f"{count} more {what}" for count, what in zip(lost, ("methods", "images"), strict=True)
            if count]  # fmt: skip
    assert text == f"left out: {', '.join(told)}"


def test_plain_pictures_are_below_the_maps_or_alone(tmp_path):
    noisy, drawn = (np.full((ROWS, ROWS, 3), value, np.uint8) for value in (90, 200))
    image = np.full((ROWS, ROWS, 3), BLUE, np.uint8)
    block = PictureBlock(["original", "with noise", "drawn"], [("a", [image, noisy, drawn])])
    draw_grid([], tmp_path / "alone.png", "title", [block])
    alone = read(tmp_path / "alone.png")
    ((top, left, bottom, right),) = cells(alone)
    middle, step = (top + bottom) // 2, round((right - left) * 1.55 / 1.5)
    assert [alone[middle, left + 20 + at * step][0] for at in range(3)] == [0, 90, 200]
    draw_grid([picture(gradcam=None)], tmp_path / "both.png", "title", [block])
    both = cells(read(tmp_path / "both.png"))
    assert len(both) == 2
    assert both[1][0] >= both[0][2]
