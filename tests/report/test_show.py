"""One image and its maps as a picture."""

import numpy as np
import pytest
import torch

from xaibench import XaibenchError, show
from xaibench.report.pictures.overlay import overlay

HEIGHT, WIDTH = 30, 50
IMAGE = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
MAP = np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)


def test_every_form_of_an_image_gives_the_same_picture():
    first = np.asarray(show(IMAGE, MAP))
    as_tensor = torch.from_numpy(IMAGE).permute(2, 0, 1)
    for form in (as_tensor, as_tensor[None], as_tensor / 255, IMAGE / 255, IMAGE[None]):
        assert (np.asarray(show(form, MAP)) == first).all()
    gray = IMAGE[..., :1]
    expected = np.asarray(show(np.repeat(gray, 3, axis=2), MAP))
    for form in (gray, gray[..., 0], torch.from_numpy(gray[..., 0])[None] / 255):
        assert (np.asarray(show(form, MAP)) == expected).all()


def test_image_and_overlay_stand_side_by_side():
    """Each panel's mean color is that of what it shows, its middle hit exactly."""
    picture = np.asarray(show(IMAGE * 0 + 90, MAP)).astype(float)
    height, width = picture.shape[:2]
    title = height - round(width / 2 * HEIGHT / WIDTH)
    middle = picture[(height + title) // 2]
    assert (middle[width // 4] == 90).all()
    heat = overlay(IMAGE * 0 + 90, MAP)
    right = middle[width // 2 + 10 : -10]
    assert abs(right.mean(axis=0) - heat[HEIGHT // 2].mean(axis=0)).max() < 6


def test_several_maps_and_rows():
    maps = {"one": torch.from_numpy(np.stack([MAP * 0, MAP])), "two": torch.from_numpy(MAP)}
    images = np.stack([IMAGE * 0, IMAGE])
    assert show(images, maps, row=1).width > 1.4 * show(images, maps["two"], row=1).width
    same = show(IMAGE, {"one": MAP, "two": MAP})
    assert (np.asarray(show(images, maps, row=1)) == np.asarray(same)).all()


def test_a_mask_is_outlined():
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:20, 10:30] = True
    plain, outlined = (np.asarray(show(IMAGE * 0, MAP, mask=m)) for m in (None, mask))
    assert (plain != outlined).any(axis=2).mean() > 0.005


@pytest.mark.parametrize(
    ("image", "maps", "said"),
    [
        (IMAGE / 127.0, MAP, r"in \[0, 1\], but reaches from 0 to 2.*before normalization"),
        (IMAGE, MAP * 2, r"map 'map' must lie in \[0, 1\]"),
        (IMAGE, MAP.T, r"map 'map' is \(50, 30\), but the image is \(30, 50\)"),
        (IMAGE[..., :2], MAP, "1 or 3 channels"),
        (IMAGE, MAP * np.nan, r"must lie in \[0, 1\]"),
    ],
)
def test_what_would_mislead_is_refused(image, maps, said):
    with pytest.raises(XaibenchError, match=said):
        show(image, maps)


def test_a_row_that_is_missing_is_refused():
    with pytest.raises(XaibenchError, match="row 3: there are 1 images"):
        show(IMAGE[None], MAP, row=3)
