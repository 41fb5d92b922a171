"""What is around the package: tasks, citation, references, hooks, and the book's contents."""

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import xaibench
from xaibench.core.bibliography import keys_of
from xaibench.core.contract import KINDS
from xaibench.core.registry import plugins

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = re.findall(r"^(\w+):", MAKEFILE, re.M)
KEY = r"[a-z]+(?:18|19|20)\d\d[a-z]+"


def make(*arguments):
    """What a make of its own says, even where another one runs these tests."""
    alone = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=alone, capture_output=True, text=True, check=True
    ).stdout


with_make = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


@with_make
def test_make_lists_every_task():
    listed = re.findall(r"^  (\w+) +\S", make(), re.M)
    assert listed == TARGETS
    assert {"setup", "lint", "type", "test", "docs", "hooks", "smoke", "browser"} <= set(TARGETS)


@with_make
def test_make_test_runs_the_line_of_the_readme():
    said = "echo eval".join(make("-n", "test", "VENV=else/where").rsplit("eval", 1))
    told = subprocess.run(
        ["bash", "-c", said], cwd=ROOT, capture_output=True, text=True, check=True
    )
    line = re.search(r"^python3 .*-m pytest$", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert told.stdout.strip() == "eval " + line[0].replace(".venv", "else/where")


def test_the_pipeline_runs_the_tasks():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    asked = [
        task for tasks in re.findall(r"^make ([a-z ]+)", script, re.M) for task in tasks.split()
    ]
    assert asked == ["setup", "hooks", "docs", "test", "browser", "slow", "smoke", "boards"]


def test_the_default_run_leaves_out_what_has_a_task_of_its_own():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    words = shlex.split(options["ini_options"]["addopts"])
    assert words[words.index("-m") + 1] == "not slow and not full"
    for mark in ("slow", "full"):
        assert f"-m {mark}" in re.search(rf"^{mark}:.*\n\t(.+)", MAKEFILE, re.M)[1]


def test_hooks_are_tasks_and_need_no_net():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["entry"] for hook in hooks] == ["make lint", "make type", "make reference"]
    assert {"lint", "type", "reference"} <= set(TARGETS)


def test_the_citation_is_whole_and_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "abstract", "keywords"} <= set(citation)
    assert str(citation["version"]) == xaibench.__version__
    assert citation["license"] == project["license"]
    assert citation["type"] == "software"
    assert all("name" in author for author in citation["authors"])
    assert set(citation) <= {
        "cff-version", "message", "title", "authors", "abstract", "keywords", "version", "license",
        "type",
    }  # fmt: skip


def test_what_is_cited_is_known_and_what_is_known_is_cited():
    known = keys_of(ROOT / "references.bib")
    assert len(known) == len(set(known))
    places = [ROOT / "README.md"]
    for folder, ending in (("xaibench", "py"), ("benchmarks", "py"), ("docs", "md")):
        places += (ROOT / folder).rglob(f"*.{ending}")
    places.append(ROOT / "results" / "published" / "reported.csv")
    texts = {place: place.read_text("utf-8") for place in places if "generator" not in place.parts}
    cited = {plugin.paper for kind in KINDS for plugin in plugins(kind).values()} - {None}
    for text in texts.values():
        cited |= set(re.findall(rf'(?:paper="|`|\[|@)({KEY})[`"\]]', text))
    assert not cited - set(known)
    everything = "\n".join(texts.values())
    assert not [key for key in known if key not in cited and key not in everything]


def test_the_book_has_every_page_and_no_other():
    nav = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M)
    docs = ROOT / "docs"
    assert sorted(nav) == sorted(str(page.relative_to(docs)) for page in docs.rglob("*.md"))


def test_the_dockerfile_runs_what_the_readme_says():
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    run = [line.removeprefix("RUN ") for line in lines if line.startswith("RUN ")]
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    commands = {line for block in blocks for line in block.splitlines()}
    assert run
    assert set(run) <= commands
