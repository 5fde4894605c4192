"""Every page in headless Chromium: with 2 and with 30 cells, on a desktop and on a phone, light and dark."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rocmimg.builds.observe import QuietView
from rocmimg.report.page import Head, Run, write_page
from rocmimg.report.page.model import Cell
from sample_runs import run_of

ROOT = Path(__file__).parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HEADLESS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
VERBS = ("build", "test", "plan", "status")
WIDTHS = (390, 1400)
# Unfolded, because what is folded has no size.
MEASURE = """
<script>
addEventListener("load", () => {
  document.querySelectorAll("details").forEach((e) => { e.open = true; });
  const name = (e) => `${e.tagName} ${e.textContent.trim().slice(0, 60)}`;
  const size = (e) => e.getBoundingClientRect();
  const boxes = [...document.querySelectorAll("body *:not(svg *)")];
  const wide = boxes.filter((e) => size(e).right > innerWidth + 1).map(name);
  const cut = [], over = [];
  for (const picture of document.querySelectorAll("svg.chart")) {
    const edge = size(picture), words = [...picture.querySelectorAll("text")].filter((e) => e.textContent.trim());
    for (const word of words) {
      const own = size(word);
      if (own.left < edge.left - 1 || own.right > edge.right + 1) cut.push(name(word));
      if (own.top < edge.top - 1 || own.bottom > edge.bottom + 1) cut.push(name(word));
      for (const other of words) {
        const two = size(other);
        if (word !== other && own.left < two.right - 1 && two.left < own.right - 1 && own.top < two.bottom - 2
            && two.top < own.bottom - 2) over.push(`${name(word)} / ${name(other)}`);
      }
    }
  }
  parent.postMessage(JSON.stringify({
    page: location.hash, width: innerWidth, scroll: document.documentElement.scrollWidth, wide, cut, over,
    charts: document.querySelectorAll("svg.chart").length,
    colours: [...document.querySelectorAll("body, .chart text, .chart [fill='var(--bar)']")].map(
      (e) => e.tagName + getComputedStyle(e).backgroundColor + getComputedStyle(e).fill),
    small: Math.min(...[...document.querySelectorAll("p, li, dd, dt, td, summary")].map(
      (e) => parseFloat(getComputedStyle(e).fontSize))),
  }), "*");
});
</script>
"""
# Chromium's own window is never narrower than 500 pixels.
FRAME = '<iframe src="%s#%s" style="width: %dpx; height: 900px; border: 0"></iframe>'
COLLECT = """<!doctype html><title></title><script>
const found = []; onmessage = (e) => { found.push(JSON.parse(e.data)); document.title = JSON.stringify(found); }
</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


def _measured(folder, pages, widths, *options):
    """What the browser says of each page at each width, asked all at once."""
    for page in pages:
        # The measurement stands in a copy without the policy, which forbids scripts as it should.
        text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text()).replace("</body>", MEASURE + "</body>")
        (folder / f"measured-{page.name}").write_text(text)
    frames = [FRAME % (f"measured-{page.name}", page.stem, width) for page in pages for width in widths]
    (folder / "frames.html").write_text(COLLECT + "".join(frames))
    arguments = (*HEADLESS, f"--user-data-dir={folder / 'profile'}", "--window-size=1500,1000", *options)
    command = [CHROMIUM, *arguments, "--virtual-time-budget=5000", "--dump-dom", (folder / "frames.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title, done.stderr[-2000:]
    assert title[1], done.stderr[-2000:]
    found = json.loads(title[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert len(found) == len(frames)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def pages(folder):
    """All verbs, small and large."""
    written = []
    for verb in VERBS:
        for cells in (2, 30):
            written.append(folder / f"{verb}{cells}.html")
            write_page(run_of(verb, cells), written[-1])
    write_page(run_of("test", 2, evil=True), folder / "evil.html")
    return [*written, folder / "evil.html"]


@pytest.fixture(scope="module")
def measured(folder, pages):
    return _measured(folder, pages, WIDTHS)


def test_nothing_is_wider_than_the_screen_or_too_small_to_read(measured):
    for one in measured:
        assert one["width"] in WIDTHS
        assert one["wide"] == [], one["page"]
        assert one["scroll"] <= one["width"], one["page"]
        assert one["small"] >= 12.5, one["page"]


def test_no_word_of_a_picture_is_cut_or_stands_over_another(measured):
    for one in measured:
        assert one["charts"] >= 1, one["page"]
        assert (one["page"], one["cut"], one["over"]) == (one["page"], [], [])


def test_dark_and_light(folder, pages, measured):
    light = next(one for one in measured if one["page"] == f"#{pages[0].stem}")["colours"]
    (dark,) = _measured(folder, pages[:1], WIDTHS[:1], "--blink-settings=preferredColorScheme=0")
    assert len(light) > 20
    assert all(a != b for a, b in zip(light, dark["colours"], strict=True))


def test_the_page_of_a_real_run(folder, lab_subject, host_engine):
    """The lab's own results; the other pages are of runs that never were."""
    from rocmimg.builds.layers import layers_of
    from rocmimg.checks.run import Options, run
    from rocmimg.cli.pages import planned, with_layers

    options = Options(tiers=("image", "import", "gpu"), results=folder, project=ROOT / "examples/lab")
    (result,) = run([lab_subject], host_engine, options, QuietView())
    layers = layers_of(host_engine, {result.id: (result.image_id, lab_subject.plan.base)})
    cell = with_layers(planned(lab_subject.plan), layers[result.id]) if lab_subject.plan else Cell(id=result.id)
    head = Head(verb="test", when="2026-11-30T12:00:00+00:00", who="a test", commit="", engine="docker", version="1")
    write_page(Run(head=head, cells=(replace(cell, checks=result),)), folder / "real.html")
    for one in _measured(folder, [folder / "real.html"], WIDTHS):
        assert (one["wide"], one["cut"], one["over"]) == ([], [], [])
        assert one["charts"] == 3
