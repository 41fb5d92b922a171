import pytest

from xaibench.core.errors import XaibenchError
from xaibench.core.store import read_json
from xaibench.setup.options import make_options
from xaibench.setup.suite import read_suite

TWO_PARTS = """
dataset = "phantom[images=48]"
epochs = 40
image-size = 224
weights = "none"

[profiles.quick]
epochs = 2
image-size = 48

[parts.small]
models = ["resnet18"]
epochs = 30

[parts.large]
models = ["resnet50"]

[parts.large.profiles.quick]
image_size = 64
"""


def suite_file(tmp_path, text):
    path = tmp_path / "suite.toml"
    path.write_text(text, "utf-8")
    return path


def options_of(tmp_path, text, *given):
    return [
        make_options(part.options, {}) for part in read_suite(suite_file(tmp_path, text), *given)
    ]


def test_a_suite_spells_options_as_the_command_line_does(tmp_path):
    text = 'image-size = 64\nseeds = [3, 4]\nmethods = "gradcam"\n'
    (options,) = options_of(tmp_path, text)
    assert (options.image_size, options.seeds, options.methods) == (64, (3, 4), ("gradcam",))


def test_what_is_nearer_to_a_part_wins(tmp_path):
    full = options_of(tmp_path, TWO_PARTS)
    quick = options_of(tmp_path, TWO_PARTS, "quick")
    said = [(o.models, o.epochs, o.image_size, o.out) for o in (*full, *quick)]
    assert said == [
        (("resnet18",), 30, 224, "results/suite/small"),
        (("resnet50",), 40, 224, "results/suite/large"),
        (("resnet18",), 2, 48, "results/suite-quick/small"),
        (("resnet50",), 2, 64, "results/suite-quick/large"),
    ]


def test_a_profile_may_run_some_parts_only(tmp_path):
    text = TWO_PARTS.replace("[profiles.quick]", '[profiles.quick]\nparts = ["large"]')
    (options,) = options_of(tmp_path, text, "quick")
    assert options.models == ("resnet50",)
    assert len(options_of(tmp_path, text)) == 2
    with pytest.raises(XaibenchError, match=r"\[profiles.quick\] parts: lost: not in"):
        options_of(tmp_path, text.replace('["large"]', '["lost"]'), "quick")


def test_one_part_can_be_chosen_and_tells_where_it_comes_from(tmp_path):
    (part,) = read_suite(suite_file(tmp_path, TWO_PARTS), "quick", "large")
    assert part.origin == {"name": "suite", "profile": "quick", "part": "large"}
    assert part.title == "suite / quick / large"


@pytest.mark.parametrize(
    ("text", "given", "match"),
    [
        (TWO_PARTS, ("quikc", ""), "--profile quikc: .*did you mean 'quick'"),
        (TWO_PARTS, ("", "larg"), "--part larg: .* it has large, small"),
        ("epochs = 3", ("quick", ""), "--profile quick: .* it has none"),
        ("epochs = = 3", (), "not a TOML file"),
        ("parts = 3", (), r"'parts' holds tables, \[parts.NAME\]"),
        ("[parts.a]\nprofiles = 3", (), r"'profiles' holds tables"),
    ],
)
def test_a_broken_suite_is_refused(tmp_path, text, given, match):
    with pytest.raises(XaibenchError, match=match):
        read_suite(suite_file(tmp_path, text), *given)


def test_a_table_of_another_name_is_no_option(tmp_path):
    with pytest.raises(XaibenchError, match="no option 'run'"):
        options_of(tmp_path, "[run]\nepochs = 3")


def test_a_suite_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(XaibenchError, match=r"^--suite .*absent\.toml: no such file"):
        read_suite(tmp_path / "absent.toml")
    with pytest.raises(XaibenchError, match=r"^--suite"):
        read_suite(tmp_path)


def test_bytes_that_are_no_text_are_no_suite(tmp_path):
    path = tmp_path / "suite.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(XaibenchError, match="not a TOML file"):
        read_suite(path)


@pytest.mark.slow
def test_a_part_without_its_data_costs_only_itself(tmp_path, plugin_file, call):
    text = f"""
    plugin = "{plugin_file}"
    models = "pocket"
    methods = "gradcam"
    metrics = "iou"
    controls = false
    epochs = 1
    image_size = 32
    weights = "none"
    [parts.lost]
    dataset = "folder[path={tmp_path / "nowhere"}]"
    [parts.there]
    dataset = "phantom[images=24]"
    """
    code, out, err = call(
        "run", "--suite", suite_file(tmp_path, text), "--out", tmp_path / "out", "--device", "cpu"
    )
    assert code == 3
    assert "suite / full / there" in out
    assert "failed: suite / full / lost: folder[path=" in err
    run = read_json(tmp_path / "out/there/run.json")
    assert run["suite"] == {"name": "suite", "profile": "full", "part": "there"}


def test_a_profile_needs_a_suite(call):
    code, _, err = call("run", "--profile", "quick")
    assert code == 2
    assert "--suite FILE" in err
