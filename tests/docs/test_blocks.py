"""Every code block of every page holds."""

import pytest
from doc_blocks import ROOT, Reader, blocks_of, fresh_plugins, inside

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Pages whose commands train and explain, which takes longer than all others together.
LONG = [page for page in PAGES if page.stem in (
    "add_a_dataset", "add_a_method", "add_a_metric", "add_a_model", "add_an_analysis",
    "coming_from", "command_line", "install", "networks", "tutorial", "your_own_images",
)]  # fmt: skip


def name(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if page in LONG else ()) for page in PAGES],
    ids=name,
)
def test_what_a_page_shows_holds(page, tmp_path):
    follow(page, Reader(tmp_path), tmp_path)


@pytest.mark.parametrize("page", LONG, ids=name)
def test_the_commands_and_files_of_a_long_page_can_be_read(page, tmp_path):
    follow(page, Reader(tmp_path, run=False), tmp_path)


def follow(page, reader, folder):
    text = page.read_text("utf-8")
    blocks = blocks_of(text)
    fences = [line for line in text.splitlines() if line.lstrip().startswith(("```", "~~~"))]
    assert len(fences) == 2 * len(blocks)
    with inside(folder), fresh_plugins():
        for block in blocks:
            try:
                reader.follow(block)
            except Exception as error:
                error.add_note(f"{page.relative_to(ROOT)}, line {block.line}")
                raise


SAMPLE = """
```sh
{}
```
"""


@pytest.mark.parametrize(
    "line",
    [
        "xaibench run --dateset busi",
        "xaibench run --methods gradcam,spm",
        "xaibench run --dataset 'phantom[image=3]'",
        "xaibench run --models 'resnet18[frozen=maybe]'",
        "xaibench runn",
        "xaibench fetch bussi",
        "xaibench metrics 'iou[treshold=0.3]'",
        "xaibench check nowhere.py",
        "xaibench analyze --analysis tsme",
        "xaibench run --suite benchmarks/pneumonia.toml --part four",
        "xaibench run --plugin nowhere.py",
        "pip install '.[everything]'",
        "make coffee",
        "python benchmarks/slow",
        "ls && xaibench runn",
        "xaibench metrics iuo | head",
        "somebody elses command",
    ],
)
def test_a_line_that_nobody_could_type_fails(line, tmp_path):
    (block,) = blocks_of(SAMPLE.format(line))
    with inside(tmp_path), fresh_plugins(), pytest.raises((Exception, AssertionError)):
        Reader(tmp_path).follow(block)


def test_files_python_and_commands_of_a_page_follow_each_other(tmp_path, capsys):
    page = '''
    ```python title="plugins/bright.py"
    """Bright."""

    from torch import Tensor

    import xaibench


    @xaibench.method()
    def bright(images: Tensor) -> Tensor:
        """Return the mean, shape (B, H, W)."""
        return images.mean(dim=1)
    ```

    <!-- run -->

    ```sh
    xaibench list methods --plugin plugins/bright.py  # with a comment
    # nothing else
    PLUGIN=1 xaibench --version | cat > version.txt && mkdir made
    ```

    ```python
    number = 6
    ```
    ```python
    from pathlib import Path

    Path("seven.txt").write_text(str(number + 1))
    ```
    <!-- not run: needs a GPU -->
    ```python
    raise SystemExit(1)
    ```
    '''
    blocks = blocks_of(page)
    assert [block.language for block in blocks] == ["python", "sh", "python", "python", "python"]
    assert [block.run for block in blocks] == [False, True, False, False, False]
    assert blocks[-1].excuse == "needs a GPU"
    reader = Reader(tmp_path)
    with inside(tmp_path), fresh_plugins():
        for block in blocks:
            reader.follow(block)
    assert "bright" in capsys.readouterr().out
    assert (tmp_path / "version.txt").read_text().startswith("xaibench")
    assert (tmp_path / "made").is_dir()
    assert (tmp_path / "seven.txt").read_text() == "7"


def test_a_block_without_a_language_fails(tmp_path):
    (block,) = blocks_of("```\nxaibench run\n```\n")
    with pytest.raises(AssertionError, match="must say its language"):
        Reader(tmp_path).follow(block)
