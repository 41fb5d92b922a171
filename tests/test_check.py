"""`xaibench check`: it finds what breaks each rule, and nothing else."""

import re
from itertools import islice
from pathlib import Path

import pytest
import torch
from broken_plugins import CASES
from PIL import Image
from plugin_sources import HEAD

from xaibench.checks.run import RULES, find, judge_plugin, trials_of
from xaibench.checks.state import state_of
from xaibench.core import registry
from xaibench.core.contract import KINDS
from xaibench.core.errors import XaibenchError

EXAMPLES = Path(__file__).parent.parent / "examples"
GPU = "runs on the GPU"


@pytest.fixture(autouse=True)
def _registry_left_as_it_was():
    for kind in KINDS:
        registry.discover(kind)
    plugins = {kind: dict(known) for kind, known in registry._plugins.items()}
    files = set(registry._loaded_files)
    yield
    for kind, known in plugins.items():
        registry._plugins[kind].clear()
        registry._plugins[kind].update(known)
    registry._loaded_files.clear()
    registry._loaded_files.update(files)


@pytest.fixture
def written(tmp_path):
    """Write a plugin file, beside a bibliography, an image and its mask."""
    (tmp_path / "references.bib").write_text("@article{me2001,\n}\n", "utf-8")
    Image.new("RGB", (12, 9), (90, 60, 30)).save(tmp_path / "image.png")
    Image.new("L", (12, 9), 255).save(tmp_path / "mask.png")

    def write(source):
        (tmp_path / "trial.py").write_text(HEAD + source, "utf-8")
        return tmp_path / "trial.py"

    return write


@pytest.fixture
def findings(written):
    """Check the only plugin of a source, and return what isn't kept, by its rule's title.

    A method is tried on one network, unless the test asks for more.
    """

    def check(source, networks=1):
        (bound,) = find(str(written(source)))
        found = judge_plugin(bound.plugin.kind, list(islice(trials_of(bound), networks)))
        return {each.rule.title: each for each in found if each.status in ("fails", "doubtful")}

    return check


@pytest.fixture
def call(call):
    """`xaibench check` as a user calls it."""
    return lambda *arguments: call("check", *arguments)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.rule}")
def test_a_plugin_that_breaks_one_rule_fails_by_that_rule_alone(case, findings):
    found = findings(case.source)
    assert list(found) == [case.rule], {title: each.why for title, each in found.items()}
    finding = found[case.rule]
    assert finding.status == case.status
    assert re.search(case.says, finding.why), finding.why


def test_every_rule_has_a_plugin_that_breaks_it():
    shared = {each.title for each in RULES["metric"]} & {each.title for each in RULES["dataset"]}
    for kind, rules in RULES.items():
        broken = {case.rule for case in CASES if case.kind == kind}
        known = {each.title for each in rules} - {GPU}
        assert broken == known - (set() if kind == "method" else shared), kind


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_maps_made_on_the_cpu_fail_on_the_gpu(findings):
    found = findings("@xaibench.method()\ndef trial(images):\n    return gray(images).cpu()\n")
    assert list(found) == [GPU]


def test_global_noise_breaks_all_that_hangs_on_it(findings):
    found = findings(
        "@xaibench.method()\ndef trial(images):\n    return torch.rand_like(gray(images))\n"
    )
    assert list(found) == [
        "same seed, same map",
        "independence of the batch",
        "global random states untouched",
    ]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        # A batch of one loses a dimension.
        ("return gray(images).squeeze()", "independence of the batch"),
        ("network.train()\n    network(images)\n    network.eval()\n    return gray(images)",
         "layers and weights untouched"),
        ("network.double()\n    return gray(images)", "layers and weights untouched"),
        ("images.requires_grad_()\n    return gray(images)", "arguments untouched"),
        ("nn.modules.module.register_module_forward_hook(print)\n    return gray(images)",
         "no hooks left behind"),
    ],
)  # fmt: skip
def test_more_ways_to_break_a_rule(body, rule, findings):
    source = f"@xaibench.method()\ndef trial(images, network):\n    {body}\n"
    assert rule in findings(source)


def test_what_one_plugin_leaves_behind_meets_no_other(findings):
    hooks = torch.nn.modules.module._global_forward_hooks
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    findings(
        "@xaibench.method()\ndef trial(images):\n"
        "    nn.modules.module.register_module_forward_hook(print)\n"
        "    torch.set_default_dtype(torch.float64)\n    torch.set_num_threads(2)\n"
        "    torch.rand(1)\n    return gray(images)\n"
    )
    assert not hooks
    assert torch.get_default_dtype() is torch.float32
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
def test_a_method_that_fails_on_one_network_is_told_on_which(findings):
    found = findings(
        "@xaibench.method()\ndef trial(images, activations):\n"
        "    assert activations.shape[2] == 10, 'ten rows, please'\n    return activations[:, 0]\n",
        networks=3,
    )
    assert found["runs"].why.startswith("on the token network it raises AssertionError: ten rows")


def test_what_a_runs_frozen_network_refuses_fails_here_too(findings):
    found = findings(
        "@xaibench.method()\ndef trial(images, network):\n"
        "    loss = network(images).sum()\n"
        "    torch.autograd.grad(loss, next(network.parameters()))\n    return gray(images)\n"
    )
    assert "does not require grad" in found["runs"].why


def test_the_trials_network_is_as_a_run_loads_it(monkeypatch):
    """Both come from one function; the other trial stands for a network that a user lends."""
    trial = next(iter(trials_of(find("gradient", "method")[0])))
    seen = []
    monkeypatch.setattr(
        "xaibench.checks.method_trial.state_of", lambda m: seen.append(state_of(m)) or state_of(m)
    )
    assert trial.first.raw is not None
    assert not any(seen[0]["modes"].values())
    assert not any(seen[0]["frozen"].values())
    seen.clear()
    assert trial.lent.raw is not None
    assert any(seen[0]["frozen"].values())


def test_a_metric_that_knows_empty_masks_is_only_asked_whether_it_means_it(findings):
    found = findings(
        "@xaibench.metric(higher_is_better=False)\ndef trial(maps, masks):\n"
        "    outside = masks <= 0\n"
        "    return (maps * outside).sum(dim=(1, 2)) / outside.sum(dim=(1, 2))\n"
    )
    assert [(each.rule.title, each.status) for each in found.values()] == [
        ("undefined for masks that don't count", "doubtful")
    ]


def shipped():
    """Examples with a plugin, the long ones as slow, and one plugin of each kind."""
    for path in sorted(EXAMPLES.glob("*.py")):
        if "@xaibench." in path.read_text("utf-8"):
            long = path.stem in ("fastshap_short", "multi_layer_fusion", "opticam_short")
            yield pytest.param(path, marks=pytest.mark.slow if long else ())
    yield from ("gradcam", "iou", "phantom[images=20]")


@pytest.mark.parametrize("plugin", shipped(), ids=str)
def test_examples_and_shipped_plugins_pass(plugin, call):
    code, printed, _ = call(plugin)
    assert code == 0, printed
    assert "FAILS" not in printed
    assert printed.endswith("no rules broken\n")
    memory = r"(\d+ MB of memory|memory unknown) at the peak \((1|8|200) images?"
    assert re.search(rf"cost +[\d.e-]+ s an image.* {memory}", printed)


@pytest.mark.slow
def test_a_file_with_several_plugins_has_all_of_them_checked(written, call):
    file = written(
        "@xaibench.method()\ndef trial(images):\n    return gray(images).mT\n\n\n"
        "@xaibench.metric(higher_is_better=True)\ndef sound(maps, masks):\n"
        "    return share(maps, masks)\n"
    )
    code, printed, _ = call(file)
    assert code == 1
    assert re.findall(r"^(\w+ \w+), on", printed, re.M) == ["method trial", "metric sound"]
    assert re.findall(r"^  FAILS +([\w ]+):", printed, re.M) == ["upright maps"]
    assert printed.endswith("1 rule broken\n")
    code, printed, _ = call(file, "--kind", "metric")
    assert code == 0
    assert "method trial" not in printed


def test_behind_a_broken_gate_nothing_is_said(written, call):
    code, printed, _ = call(written("@xaibench.method()\ndef trial(images):\n    return 1 / 0\n"))
    assert code == 1
    assert "division by zero (trial.py:" in printed
    assert "-      upright maps: fix 'runs' first" in printed
    assert "cost   not measured" in printed


@pytest.mark.slow
def test_long_methods_are_tried_with_few_samples_and_measured_as_they_are(call):
    _, printed, _ = call("smooth_gradcam_pp")
    assert "(the rules with smooth_gradcam_pp[samples=12])" in printed
    assert re.search(r"cost .* (2[5-9]) passes through the network", printed)
    _, printed, _ = call("smooth_gradcam_pp[samples=3]")
    assert "the rules with" not in printed


def test_data_that_is_not_here_is_no_broken_rule(call, monkeypatch, tmp_path):
    monkeypatch.setenv("XAIBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code, printed, _ = call("busi")
    assert code == 0
    assert "-      opens: its data isn't here: busi" in printed


@pytest.mark.parametrize(
    ("plugin", "says"),
    [
        ("occlusionn", "there is no plugin 'occlusionn' (did you mean 'occlusion'?)"),
        ("occlusion[widow=3]", "has no option 'widow'"),
        ("nowhere.py", "nowhere.py: no such file"),
    ],
)
def test_mistakes_are_one_sentence(plugin, says, call):
    code, printed, told = call(plugin)
    assert (code, printed) == (2, "")
    assert says in told
    assert "Traceback" not in told


def test_files_that_hold_nothing_or_fail_to_import_are_mistakes(written, call):
    code, _, told = call(written(""))
    assert code == 2
    assert "it declares nothing" in told
    code, _, told = call(written("raise OSError('no license')\n"))
    assert code == 2
    assert "fails to import (OSError: no license)" in told


def test_a_name_of_two_kinds_needs_its_kind(written):
    file = written("@xaibench.method()\ndef iou(images):\n    return gray(images)\n")
    assert [bound.plugin.kind for bound in find(str(file))] == ["method"]
    with pytest.raises(XaibenchError, match="is a method and a metric; choose one with --kind"):
        find("iou")
    assert find("iou", "metric")[0].plugin.kind == "metric"
