"""Private parts of libraries: in one file each, there up to the newest release that is allowed."""

import re
import sys
import tomllib
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.passes import inside_torch
from xaibench.executors import inside_ray

ROOT = Path(__file__).parents[2]
PRIVATE = re.compile(r"\b(torch|ray)(\.\w+)*\._(?!_)\w+|\._(modules|schema|forward_hooks)\b")
FILES = {"core/passes/inside_torch.py", "executors/inside_ray.py"}


def allowed(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"], *project["optional-dependencies"]["ray"]]
    return next(found for entry in listed if (found := Requirement(entry)).name == name)


def test_private_parts_stand_in_one_file_each():
    package = ROOT / "xaibench"
    files = {path.relative_to(package).as_posix(): path.read_text("utf-8")
             for path in package.rglob("*.py")}  # fmt: skip
    assert {name for name, text in files.items() if PRIVATE.search(text)} == FILES


def test_they_are_there_in_what_is_installed_and_newer_releases_are_not_allowed():
    for name in ("torch", "ray"):
        found = allowed(name)
        assert found.specifier.contains(version(name).partition("+")[0]), name
        assert any(bound.operator == "<" for bound in found.specifier), name
    assert inside_torch.DispatchMode.__name__ == "TorchDispatchMode"
    assert torch._is_functional_tensor(torch.ones(1)) is False
    assert inside_torch._find("torch._inductor.config", "patch")
    assert hasattr(torch.ops.aten.add_.Tensor._schema, "is_mutable")
    assert all(hasattr(nn.ReLU(), kind) for kind in inside_torch._HOOKS)


def test_ray_keeps_its_switch():
    driver = pytest.importorskip(inside_ray._PLACE)
    before = getattr(driver, inside_ray._SWITCH)
    with inside_ray.quiet_workers():
        assert getattr(driver, inside_ray._SWITCH) is False
    assert getattr(driver, inside_ray._SWITCH) is before


def test_without_them_the_rest_goes_on_or_says_so(monkeypatch):
    gone = ("torch.utils._python_dispatch", "torch._inductor.config", inside_ray._PLACE)
    for place in gone:
        monkeypatch.setitem(sys.modules, place, None)
    monkeypatch.delattr(torch, "_is_functional_tensor")
    spec = spec_from_file_location("without", inside_torch.__file__)
    without = module_from_spec(spec)
    spec.loader.exec_module(without)
    with pytest.raises(XaibenchError, match=r"doesn't let anybody watch its operations"):
        without.DispatchMode()
    with without.frozen_weights(), inside_ray.quiet_workers():
        assert not without.is_functional(torch.ones(1))


class Named:
    """An operation that shows its name alone."""

    def __init__(self, operation):
        self.name = str(operation)

    def __str__(self):
        return self.name


def test_what_writes_in_place_is_told_by_its_name_as_by_its_schema():
    names = ("add", "add_", "relu_", "copy_", "mul", "clamp_", "conv2d", "sum", "fill_", "where")
    for name in names:
        packet = getattr(torch.ops.aten, name)
        for overload in packet.overloads():
            operation = getattr(packet, overload)
            told = inside_torch.writes_in_place(Named(operation))
            assert told == inside_torch.writes_in_place(operation), operation


def test_hooks_are_counted():
    layer = nn.Linear(3, 2)
    layer.register_forward_hook(print)
    layer.register_full_backward_pre_hook(print)
    layer.weight.register_hook(print)
    assert inside_torch.count_hooks(layer) == 2
    assert inside_torch.count_hooks(layer.weight) == 1
    assert list(map(len, inside_torch.global_hooks().values())) == [0, 0, 0]
    assert list(inside_torch.children_of(nn.Sequential(layer, layer))) == ["0", "1"]
