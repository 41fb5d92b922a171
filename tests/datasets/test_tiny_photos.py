"""The tiny datasets keep every rule of `xaibench check`, which real ones seldom get to here."""

import pytest
from tiny_photos import (
    make_chest_xray,
    make_cub,
    make_cub_2010,
    make_dogs_vs_cats,
    make_skin_hfus,
    make_stanford_dogs,
)

from xaibench.audit.audit import audit
from xaibench.checks.run import judge_plugin, trials_of
from xaibench.core.registry import bind
from xaibench.core.roots import ENVIRONMENT_VARIABLE, open_dataset


@pytest.mark.parametrize(
    ("spec", "make"),
    [
        ("cub", make_cub),
        ("cub[version=2010]", make_cub_2010),
        ("cub[version=2010,masks=boxes]", make_cub_2010),
        ("stanford_dogs", make_stanford_dogs),
        ("dogs_vs_cats", make_dogs_vs_cats),
        ("chest_xray[classes=3,crop=0.7]", make_chest_xray),
        ("skin_hfus", make_skin_hfus),
    ],
)
def test_check_and_audit_find_no_fault(tmp_path, monkeypatch, spec, make):
    make(tmp_path)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    bound = bind("dataset", spec)
    findings = judge_plugin("dataset", list(trials_of(bound)))
    assert {finding.status for finding in findings} <= {"ok", "skipped"}
    assert sum(finding.status == "ok" for finding in findings) >= 6
    assert not [each for each in audit(open_dataset(bound)).findings if each.severity != "note"]
