"""Whatever files, numbers, names and options hold, the answer is a result or a user's error."""

import io
import tempfile
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from bad_row import SIDES, drawn, lopsided
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import CONSTANT, NON_FINITE, OK, finish
from xaibench.core.reading.images import read_image, read_mask
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.core.spec import _quote, parse_spec
from xaibench.core.store import folder_name
from xaibench.results.tables import read_table
from xaibench.setup.options import RunOptions, make_options
from xaibench.setup.suite import read_suite

pytestmark = pytest.mark.slow

fuzzed = settings(derandomize=True, deadline=None, max_examples=40, database=None)
many = settings(fuzzed, max_examples=120)

PIXELS = st.sampled_from(["uint8", "uint16", "int32", "float32", "bool"]).flatmap(
    lambda kind: arrays(kind, array_shapes(min_dims=2, max_dims=2, max_side=9))
)
COLORS = arrays("uint8", st.tuples(*[st.integers(1, 9)] * 2, st.sampled_from([3, 4])))


def result_of(read, path):
    """Return what is read, or None where it is refused by name."""
    try:
        return read(path)
    except XaibenchError as error:
        refusal = str(error)
    assert path.name in refusal
    return None


@fuzzed
@given(st.one_of(PIXELS, COLORS), st.sampled_from(["png", "tif"]), st.integers(0, 9))
def test_any_pixels_are_a_mask_of_their_size_or_are_refused(pixels, ending, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"m.{ending}")
        try:
            Image.fromarray(pixels).save(path, exif=exif)
        except OSError:  # PNG takes no floating point numbers
            assume(False)
        for read in (read_mask, read_image):
            if (found := result_of(read, path)) is not None:
                lying = turn in (5, 6, 7, 8)
                assert found.shape[:2] == (pixels.shape[:2][::-1] if lying else pixels.shape[:2])
                assert found.dtype == (np.bool_ if read is read_mask else np.uint8)


def packed(kind):
    buffer = io.BytesIO()
    Image.fromarray(lopsided()).save(buffer, kind)
    return buffer.getvalue()


FILES = {kind: packed(kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")}


@many
@given(st.sampled_from(sorted(FILES)), st.data())
def test_damaged_files_are_read_or_refused(kind, data):
    content = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] + data.draw(st.binary(max_size=9))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.png")
        path.write_bytes(content)
        for read in (read_mask, read_image):
            result_of(read, path)


RAW = arrays(
    st.sampled_from(["float16", "float32", "float64"]),
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    elements={"allow_nan": True, "allow_infinity": True, "allow_subnormal": True},
)
STATUSES = {OK, CONSTANT, NON_FINITE}


@many
@given(
    RAW, st.integers(1, 9), st.integers(1, 9),
    st.sampled_from(["relu", "abs", "none"]), st.sampled_from(["minmax", "none"]),
)  # fmt: skip
def test_any_numbers_make_a_map_from_0_to_1(raw, height, width, sign, rescale):
    maps, statuses = finish(torch.from_numpy(raw), (height, width), sign=sign, rescale=rescale)
    assert maps.shape == (len(raw), height, width)
    assert bool(((maps >= 0) & (maps <= 1)).all())  # nan is neither
    assert set(statuses) <= STATUSES
    for one, status, given_one in zip(maps, statuses, raw, strict=True):
        if status != OK:
            assert not one.any()
        if not np.isfinite(given_one).all():
            assert status == NON_FINITE


METRICS = ("iou", "iou_area", "hit_rate", "mass_in_mask", "average_precision")


@fuzzed
@given(RAW, st.data())
def test_scores_lie_within_bounds_or_say_why_not(raw, data):
    count, height, width = raw.shape
    maps, _ = finish(torch.from_numpy(raw).float(), (height, width))
    masks = data.draw(arrays("int8", raw.shape, elements=st.sampled_from([0, 0, 1, 1, 3, -1])))
    frame = xaibench.score(maps, masks, METRICS)
    assert len(frame) == count * len(METRICS)
    defined = frame[frame["status"] == OK]
    assert defined["value"].between(0, 1).all()
    undefined = frame["value"].isna()
    assert (frame.loc[undefined, "status"] != OK).all()


NAMES = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=40)


@fuzzed
@given(st.sets(NAMES, min_size=1, max_size=3))
def test_any_name_survives_tables_or_is_refused(names):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("a/0", "b/0", *(f"b/{name}" for name in names)):
            try:
                drawn(str(folder / f"{name}.png"), lopsided())
            except (OSError, ValueError):  # the file system has no such names
                assume(False)
        try:
            dataset = open_dataset(bind("dataset", f"folder[path={folder}]"))
        except XaibenchError:
            return
        ids = [sample.id for sample in dataset.samples]
        frame = pd.DataFrame({"sample": ids, "group": ids, "value": 0.5})
        frame.to_csv(folder / "t.csv", index=False)
        back = read_table(folder / "t.csv")
        assert back["sample"].tolist() == back["group"].tolist() == ids
        assert all(dataset.read(sample).image.shape[:2] == SIDES for sample in dataset.samples)


WORDS = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=9).map(str.strip)


@many
@given(WORDS, st.dictionaries(WORDS, VALUES, max_size=3))
def test_specs_read_back_as_they_were_written(name, options):
    text = ",".join(f"{key}={_quote(value)}" for key, value in options.items())
    assert parse_spec(f"{name}[{text}]" if text else name) == (name, options)


@many
@given(st.text(max_size=120), st.text(max_size=120))
def test_folders_of_specs_stay_inside_and_apart(one, other):
    for spec in (one, other):
        name = folder_name(spec)
        assert Path("x", name).resolve().parent == Path("x").resolve()
        assert name.isascii()
        assert len(name) <= 100
    kinds = {text.partition("[")[0].replace(":", "-") for text in (one, other)}
    if one != other and len(kinds) == 2 and "-" not in one + other:
        assert folder_name(one) != folder_name(other)


@many
@given(*[st.tuples(WORDS, st.dictionaries(WORDS, VALUES, min_size=1, max_size=2))] * 2)
def test_two_specs_never_share_a_folder(one, other):
    specs = [
        f"{name}[{','.join(f'{k}={v}' for k, v in sorted(options.items()))}]"
        for name, options in (one, other)
    ]
    names = [folder_name(text) for text in (*specs, one[0], other[0])]
    assert len(set(names)) == len({*specs, one[0], other[0]})


OPTIONS = sorted({item.name for item in fields(RunOptions)} - {"plugin"})
PLAIN = st.one_of(
    st.text(max_size=20), st.integers(), st.floats(), st.booleans(), st.none(),
    st.lists(st.one_of(st.text(max_size=5), st.integers(), st.floats()), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(["0", "-1", "nan", "1e999", "none", "kfold:3", "a,b", "[", "\0", "9" * 400]),
)  # fmt: skip


@many
@given(st.sampled_from(OPTIONS), PLAIN)
def test_any_value_of_any_option_works_or_is_a_users_error(name, value):
    with suppress(XaibenchError):
        assert make_options({"weights": "none", name: value}, {}).weights is not None


@many
@given(st.one_of(st.text(max_size=30), st.text("abc[]=,+-.0129 ", max_size=30)))
def test_any_text_for_a_plugin_is_one_or_a_users_error(text):
    for kind in ("dataset", "method", "metric", "model", "analysis"):
        for spec in (text, f"iou[{text}]", f"occlusion[{text}]", f"resnet18[{text}]"):
            with suppress(XaibenchError):
                bound = bind(kind, spec)
                assert bind(kind, bound.spec).spec == bound.spec


@fuzzed
@given(st.one_of(st.text(max_size=60), st.text('[]={}"a\n.1parts', max_size=60), st.binary()))
def test_any_suite_is_read_or_refused_by_name(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "s.toml")
        path.write_bytes(
            content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        )
        result_of(read_suite, path)
