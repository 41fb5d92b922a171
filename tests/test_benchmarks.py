"""Every suite in ``benchmarks/`` can be planned, and opens with its command."""

from pathlib import Path

import pytest

from xaibench.core.registry import bind
from xaibench.pipeline.options import make_options, read_suite

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_a_suite_names_what_exists_and_opens_with_its_command(path):
    options = make_options(read_suite(path), {})
    for kind in ("method", "model", "metric"):
        for spec in getattr(options, f"{kind}s"):
            bind(kind, spec)
    bind("dataset", options.dataset)
    assert f"xaibench run --suite benchmarks/{path.name}" in path.read_text("utf-8")
