import ast
import re
from pathlib import Path

import pytest

import xaibench

PACKAGE = Path(xaibench.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
PLUGINS = ("datasets", "models", "methods", "metrics", "analyses")
LONGEST = 250
# What a layer may import beside what is outside the package.
ALLOWED = {
    "": {"", "api", "callbacks", "core", "explaining", "report", "running"},
    "__main__": {"cli"},
    "cli": {"", "commands", "core"},
    "commands": {
        "callbacks",
        "checks",
        "commands",
        "core",
        "diagnostics",
        "executors",
        "audit",
        "explaining",
        "report",
        "results",
        "running",
        "setup",
        "studies",
        "submission",
    },
    "api": {"callbacks", "core", "explaining", "report", "results", "running", "setup"},
    "checks": {"checks", "core", "explaining", "results", "setup"},
    "submission": {"core", "explaining", "results", "running", "setup", "submission", "training"},
    "running": {
        "audit",
        "callbacks",
        "core",
        "executors",
        "explaining",
        "results",
        "running",
        "setup",
        "training",
    },
    "explaining": {"core", "explaining", "results", "setup", "training"},
    "training": {"core", "executors", "results", "setup", "training"},
    "setup": {"", "callbacks", "core", "executors", "results", "setup"},
    "audit": {"audit", "core"},
    "callbacks": {"callbacks", "core", "results"},
    "executors": {"core", "executors", "results"},
    "diagnostics": {"core", "diagnostics", "explaining", "results", "setup", "stats", "training"},
    "studies": {"core", "report", "results", "running", "setup", "studies", "training"},
    "report": {"core", "report", "results", "stats"},
    "results": {"", "core", "results"},
    "stats": {"stats"},
    "core": {"", "core"},
    **{kind: {"core"} for kind in PLUGINS},
}


def layer_of(path):
    """The first part of a module's name below the package; empty for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported_layers(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            names = [node.module]
            if node.module == "xaibench":
                names = [
                    f"xaibench.{a.name}" if is_module(a.name) else "xaibench" for a in node.names
                ]
        else:
            continue
        for name in names:
            package, *rest = name.split(".")
            if package == "xaibench":
                yield rest[0] if rest else ""


def is_module(name):
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def named(offenders):
    """For each file that has some, what is wrong in it."""
    return {str(path.relative_to(PACKAGE.parent)): found for path, found in offenders if found}


@pytest.mark.slow
def test_imports_point_down():
    upwards = ((path, set(imported_layers(path)) - ALLOWED[layer_of(path)]) for path in FILES)
    assert named(upwards) == {}


def test_plugins_never_import_each_other():
    siblings = ((path, f"xaibench.{layer_of(path)}" in path.read_text("utf-8"))
                for path in FILES if layer_of(path) in PLUGINS)  # fmt: skip
    assert named(siblings) == {}


@pytest.mark.parametrize(
    ("layer", "part", "allowed"),
    [
        ("core", "reading", {"reading"}),
        ("core", "networks", {"networks"}),
        ("core", "passes", {"passes", "networks"}),
        ("report", "facts", {"facts"}),
        ("report", "judging", {"judging", "facts"}),
        ("report", "wording", {"wording", "judging", "facts"}),
        ("report", "pictures", {"pictures", "judging", "facts"}),
        ("report", "page", {"page", "pictures", "wording", "judging", "facts"}),
    ],
)
def test_the_parts_of_a_layer_have_an_order(layer, part, allowed):
    others = [path.name for path in (PACKAGE / layer).iterdir() if (path / "__init__.py").is_file()]
    pattern = re.compile(rf"xaibench\.{layer}\.({'|'.join(others)})\b")
    files = list((PACKAGE / layer / part).glob("*.py"))
    assert len(files) > 1
    for path in files:
        assert set(pattern.findall(path.read_text("utf-8"))) <= allowed, path.name


def test_every_layer_has_its_rule():
    assert {layer_of(path) for path in FILES} == set(ALLOWED)


def test_public_names_are_what_the_type_checker_sees():
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    seen = {
        alias.name: node.module.removeprefix("xaibench.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("xaibench.")
        for alias in node.names
    }
    assert seen == xaibench._HOME_OF
    assert sorted([*seen, "__version__"]) == xaibench.__all__ == sorted(xaibench.__all__)
    for name in xaibench.__all__:
        assert getattr(xaibench, name) is not None


@pytest.mark.slow
def test_one_name_is_one_thing():
    homes = {}
    for path in FILES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(path.relative_to(PACKAGE).as_posix())
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_a_file_can_be_read_in_one_sitting():
    lengths = ((path, len(path.read_text("utf-8").splitlines())) for path in FILES)
    assert named((path, lines if lines > LONGEST else 0) for path, lines in lengths) == {}


def printing_lines(path):
    calls = (n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call))
    return [c.lineno for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]


@pytest.mark.slow
def test_nothing_prints():
    assert named((path, printing_lines(path)) for path in FILES) == {}


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'explane'"):
        _ = xaibench.explane
