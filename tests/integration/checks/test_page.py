"""The page of a real run in headless Chromium, on a desktop and on a phone."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rocmimg.checks.model import CheckResult
from rocmimg.report.page import write_page

ROOT = Path(__file__).parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HEADLESS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
MEASURE = """
<script>
addEventListener("load", () => {
  const wide = [...document.querySelectorAll("body *")].filter(
    (e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName);
  parent.postMessage(JSON.stringify({
    width: innerWidth, scroll: document.documentElement.scrollWidth, wide,
    bars: document.querySelectorAll("svg rect").length,
    colour: getComputedStyle(document.body).backgroundColor,
    small: Math.min(...[...document.querySelectorAll("p, li, dd, dt, summary")].map(
      (e) => parseFloat(getComputedStyle(e).fontSize))),
  }), "*");
});
</script>
"""
# Chromium's own window is never narrower than 500 pixels.
FRAME = """<!doctype html><title></title><script>onmessage = (e) => { document.title = e.data; }</script>
<iframe src="measured.html" style="width: %dpx; height: 900px; border: 0"></iframe>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory, lab_subject, host_engine):
    """The lab's results, with a failure whose text has no place to break."""
    from rocmimg.checks.run import Options, run

    folder = tmp_path_factory.mktemp("page")
    options = Options(tiers=("image", "import", "gpu"), results=folder, project=ROOT / "examples/lab")
    (result,) = run([lab_subject], host_engine, options, lambda _: None)
    reason = "/opt/" + "x" * 300
    long = CheckResult(id="x", tier="image", classes=("F23",), status="failed", reason=reason, cause="c", fix="d")
    packages = {"a-package-with-a-rather-long-name": {f"gfx{n}": 1 << 20 for n in range(900, 930)}}
    coverage = {**result.coverage, "packages": packages | result.coverage["packages"]}
    write_page([replace(result, checks=(*result.checks, long), coverage=coverage)], folder / "page.html")
    return folder / "page.html"


def _measured(page, width, *options):
    # The measurement stands in a copy without the policy, which forbids scripts as it should.
    copy = page.with_name("measured.html")
    copy.write_text(re.sub(r"<meta http-equiv[^>]*>", "", page.read_text()).replace("</body>", MEASURE + "</body>"))
    frame = page.with_name("frame.html")
    frame.write_text(FRAME % width)
    arguments = (*HEADLESS, f"--user-data-dir={page.parent / 'profile'}", "--window-size=1400,1000", *options)
    command = [CHROMIUM, *arguments, "--virtual-time-budget=5000", "--dump-dom", frame.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title, done.stderr[-2000:]
    return json.loads(title[1])


@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits_the_screen_and_can_be_read(page, width):
    found = _measured(page, width)
    assert found["width"] == width
    assert found["wide"] == []
    assert found["scroll"] <= found["width"]
    assert found["small"] >= 13
    assert found["bars"] == 31


def test_dark_and_light(page):
    light = _measured(page, 1200)["colour"]
    dark = _measured(page, 1200, "--blink-settings=preferredColorScheme=0")["colour"]
    assert light != dark
