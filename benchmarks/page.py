"""What a run's report costs: ``python benchmarks/page.py results/busi``.

Writes the report again, opens it in headless Chromium (playwright; XAIBENCH_BROWSER names another
one), and prints seconds, megabytes and milliseconds; those of the page are medians of several
visits.
"""

import os
import shutil
import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from xaibench.report.write import write_report

_VISITS, _STEPS = 5, 20
_MEGABYTE = 1e6
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_SLIDE = f"""async () => {{
  const slider = document.querySelector("#gallery-threshold"), before = performance.now();
  for (let step = 1; step <= {_STEPS}; step++) {{
    slider.value = 0.3 + step / 100;
    slider.dispatchEvent(new Event("input", {{bubbles: true}}));
    await new Promise(requestAnimationFrame);
  }}
  return (performance.now() - before) / {_STEPS};
}}"""


def visit(browser: Browser, path: Path) -> tuple[float, float, float]:
    """Return milliseconds to the first paint, to the first IoU, and for a step of the slider."""
    page = browser.new_page()
    page.goto(path.resolve().as_uri())
    # The gallery unpacks its first image without being scrolled to.
    page.wait_for_selector("[data-iou]", state="attached")
    drawn = page.evaluate("performance.now()")
    paint = page.evaluate(_PAINT)
    step = page.evaluate(_SLIDE)
    page.close()
    return paint, drawn, step


def main(out: Path) -> None:
    """Measure, and print a line for each figure."""
    started = time.perf_counter(), time.process_time()
    write_report(out)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    path = out / "report.html"
    names = (os.environ.get("XAIBENCH_BROWSER", ""), "chromium", "google-chrome")
    found = next(filter(None, map(shutil.which, names)))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        visits = [visit(browser, path) for _ in range(_VISITS)]
        browser.close()
    paint, drawn, step = (statistics.median(times) for times in zip(*visits, strict=True))
    print(f"report written in {wall:.1f} s ({cpu:.1f} s of CPU)")
    print(f"report.html {path.stat().st_size / _MEGABYTE:.2f} MB")
    print(f"first paint {paint:.0f} ms, first IoU {drawn:.0f} ms, a slider step {step:.0f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
