import re
from typing import Literal, TypedDict, Unpack

import pytest

from xaibench.core import registry
from xaibench.core.contract import KINDS, Option
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind, load_plugin_file, method, metric, plugins
from xaibench.core.spec import coerce_options, format_spec, parse_spec, split_list

DECLARED = {
    "window": Option(int, 32),
    "share": Option(float, 0.5),
    "by": Option(Literal["darken", "zero"], "darken"),
    "smooth": Option(bool, False),
    "levels": Option(tuple[int, ...], (1, 2)),
    "limit": Option(int | None, None),
    "root": Option(str, ""),
}


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """Give each test a registry that nothing it declares outlives."""
    for kind in KINDS:
        plugins(kind)
    copies = {kind: dict(known) for kind, known in registry._plugins.items()}
    monkeypatch.setattr(registry, "_plugins", copies)
    monkeypatch.setattr(registry, "_loaded_files", set())


def write(folder, code, name="mine.py"):
    file = folder / name
    file.write_text("import xaibench\nfrom torch import Tensor\n" + code)
    return file


PLUGIN = '''
@xaibench.method(sign="abs")
def mine(images: Tensor, *, power: float = 2.0) -> Tensor:
    """Return brightness to a power."""
    return images.mean(dim=1) ** power
'''


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        (" , ", []),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("a[x=1,y=2], b ,c[z=3]", ["a[x=1,y=2]", "b", "c[z=3]"]),
        ("a[x=b[y=1,z=2],w=3],c", ["a[x=b[y=1,z=2],w=3]", "c"]),
    ],
)
def test_lists_split_at_commas_outside_brackets(text, parts):
    assert split_list(text) == parts


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("gradcam", ("gradcam", {})),
        (" iou[threshold=0.3] ", ("iou", {"threshold": "0.3"})),
        ("folder[path=/a b/c=d]", ("folder", {"path": "/a b/c=d"})),
        ("net[by = zero , root=]", ("net", {"by": "zero", "root": ""})),
        ("a[]", ("a", {})),
    ],
)
def test_specs_are_parsed(text, parsed):
    assert parse_spec(text) == parsed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("iou[threshold=0.3", "write it as"),
        ("[x=1]", "write it as"),
        ("iou[x=1]y", "write it as"),
        ("iou[0.3]", "'0.3' is not option=value"),
        ("iou[x=1,x=2]", "'x' is given twice"),
    ],
)
def test_malformed_specs_are_named(text, reason):
    with pytest.raises(XaibenchError, match=re.escape(reason)) as caught:
        parse_spec(text)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("window", "15", 15),
        ("window", 15, 15),
        ("share", "1e-3", 0.001),
        ("share", 1, 1.0),
        ("by", "zero", "zero"),
        ("smooth", "yes", True),
        ("smooth", "Off", False),
        ("smooth", True, True),
        ("levels", "3+4+5", (3, 4, 5)),
        ("levels", "16-16-32", (16, 16, 32)),
        ("levels", "-3+4--5", (-3, 4, -5)),
        ("levels", [3, 4], (3, 4)),
        ("limit", "none", None),
        ("limit", "7", 7),
        ("root", "a/b", "a/b"),
    ],
)
def test_option_texts_become_the_declared_types(option, text, value):
    coerced = coerce_options("net", {option: text}, DECLARED)[option]
    assert coerced == value
    assert type(coerced) is type(value)


@pytest.mark.parametrize(
    ("option", "text", "reason"),
    [
        ("window", "1.5", "net[window=1.5]: not a whole number."),
        ("share", "much", "net[share=much]: not a number."),
        ("by", "lighten", "net[by=lighten]: choose one of darken, zero."),
        ("smooth", "maybe", "net[smooth=maybe]: choose true or false."),
        ("levels", "1+x", "net[levels=1+x]: not a whole number."),
        ("levels", "1-", "net[levels=1-]: not a whole number."),
        ("limit", "x", "net[limit=x]: not a whole number."),
    ],
)
def test_unsuitable_values_are_named_with_what_suits(option, text, reason):
    with pytest.raises(XaibenchError, match=f"^{re.escape(reason)}$"):
        coerce_options("net", {option: text}, DECLARED)


def test_an_unknown_option_names_the_nearest_and_all_others():
    with pytest.raises(XaibenchError, match=r"no option 'windw' \(did you mean 'window'\?\); its"):
        coerce_options("net", {"windw": "1"}, DECLARED)
    with pytest.raises(XaibenchError, match="it has no options"):
        coerce_options("net", {"windw": "1"}, {})


def test_canonical_specs_sort_options_and_leave_defaults_out():
    given = {"window": "15", "share": "0.5", "smooth": "true", "levels": "3+4", "by": "zero"}
    options = coerce_options("net", given, DECLARED)
    assert format_spec("net", options, DECLARED) == "net[by=zero,levels=3+4,smooth=true,window=15]"
    assert format_spec("net", {"share": 0.5, "limit": None}, DECLARED) == "net"


def test_a_canonical_spec_reads_back_as_the_same_options():
    options = coerce_options("net", {"levels": "3+4", "limit": "9", "share": "0.1"}, DECLARED)
    name, texts = parse_spec(format_spec("net", options, DECLARED))
    assert (name, coerce_options(name, texts, DECLARED)) == ("net", options)


def test_two_writings_of_one_plugin_are_one_row():
    assert bind("metric", "iou[threshold=.30]").spec == bind("metric", "iou[threshold=0.3]").spec
    assert bind("metric", "iou[threshold=0.5]").spec == "iou"


def test_an_option_turns_the_direction():
    assert not bind("metric", "drop_in_confidence").higher_is_better
    assert bind("metric", "drop_in_confidence[covered=important]").higher_is_better
    assert not bind("metric", "increase_in_confidence[covered=important]").higher_is_better


def test_an_unknown_plugin_names_the_nearest():
    with pytest.raises(XaibenchError, match=r"no method 'gradcan' \(did you mean 'gradcam'\?\)"):
        bind("method", "gradcan")


def test_a_decorator_returns_the_function_itself():
    def plain(images):
        return images[:, 0]

    assert method()(plain) is plain
    assert bind("method", "plain").plugin.function is plain


def test_an_unknown_word_is_refused_with_the_nearest():
    def asks(activation):
        return activation

    with pytest.raises(XaibenchError, match=r"'activation' is not a word of the method vocabulary"):
        method()(asks)
    assert "asks" not in plugins("method")


def test_a_word_of_another_kind_is_refused():
    def asks(gradients):
        return gradients

    with pytest.raises(XaibenchError, match="not a word of the metric vocabulary"):
        metric(higher_is_better=True)(asks)


def test_an_option_needs_a_type_and_a_default():
    def typeless(images, *, power=2):
        return images

    def without_default(images, *, power: int):
        return images

    for function in (typeless, without_default):
        with pytest.raises(XaibenchError, match="option 'power' needs a type and a default"):
            method()(function)


class Shared(TypedDict, total=False):
    power: float
    signed: bool


def test_options_that_plugins_share_are_typed_and_off_unless_given():
    def mild(images, *, floor: int = 1, **shared: Unpack[Shared]):
        return shared

    method()(mild)
    declared = plugins("method")["mild"].signature.options
    assert declared == {"floor": Option(int, 1), "power": Option(float, 0.0),
                        "signed": Option(bool, False)}  # fmt: skip
    bound = bind("method", "mild[power=2,signed=false]")
    assert bound.spec == "mild[power=2.0]"
    assert bound.plugin.function(None, **bound.options) == {"power": 2.0, "signed": False}
    with pytest.raises(XaibenchError, match="no option 'powr'"):
        bind("method", "mild[powr=2]")


def test_stars_hide_what_is_needed_and_are_refused():
    def many(*images):
        return images

    def named(images, **options):
        return images

    for function in (many, named):
        with pytest.raises(XaibenchError, match="hides what the plugin needs"):
            method()(function)


def test_a_plugin_file_adds_its_plugins(tmp_path):
    file = write(tmp_path, PLUGIN)
    load_plugin_file(file)
    load_plugin_file(file)
    assert bind("method", "mine[power=3]").options == {"power": 3.0}
    assert plugins("method")["mine"].file == file
    assert plugins("method")["mine"].traits.sign == "abs"


def test_one_name_in_two_files_is_refused(tmp_path):
    load_plugin_file(write(tmp_path, PLUGIN))
    with pytest.raises(XaibenchError, match=r"there is a method 'mine' already, in .*mine\.py"):
        load_plugin_file(write(tmp_path, PLUGIN, "other.py"))


def test_a_name_of_the_suite_is_refused(tmp_path):
    file = write(tmp_path, PLUGIN.replace("mine", "gradcam"))
    with pytest.raises(XaibenchError, match="there is a method 'gradcam' already"):
        load_plugin_file(file)


def test_a_missing_plugin_file_is_named(tmp_path):
    with pytest.raises(XaibenchError, match=r"absent\.py: no such file"):
        load_plugin_file(tmp_path / "absent.py")


def test_a_plugin_file_that_is_not_python_is_named(tmp_path):
    with pytest.raises(XaibenchError, match=r"mine\.txt: not a Python file"):
        load_plugin_file(write(tmp_path, PLUGIN, "mine.txt"))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", r"fails to import \(ZeroDivisionError: division by zero\)"),
        ("def (", r"fails to import \(SyntaxError"),
        ("import no_such_package", r"fails to import \(ModuleNotFoundError"),
        (PLUGIN.replace("images:", "image:"), r"'image' is not a word"),
        ("answer = 42", "declares nothing"),
    ],
)
def test_a_broken_plugin_file_is_named_with_its_error(tmp_path, code, reason):
    with pytest.raises(XaibenchError, match=rf"--plugin .*mine\.py.*: .*{reason}"):
        load_plugin_file(write(tmp_path, code))


def test_a_mended_plugin_file_loads_after_it_failed(tmp_path):
    with pytest.raises(XaibenchError):
        load_plugin_file(write(tmp_path, "1 / 0"))
    load_plugin_file(write(tmp_path, PLUGIN))
    assert "mine" in plugins("method")


@pytest.mark.parametrize(
    "value", ["a,b", "x]y", "a[b", 'say "hi", twice', "plain", "P[0-9]+", "é, 中"]
)
def test_a_quoted_value_survives_being_written_and_read(value):
    declared = {"path": Option(str, "")}
    written = format_spec("folder", {"path": value}, declared)
    assert parse_spec(written) == ("folder", {"path": value})
    assert split_list(f"{written},other") == [written, "other"]
    assert parse_spec('folder[path="a,b",soft=true]')[1] == {"path": "a,b", "soft": "true"}
