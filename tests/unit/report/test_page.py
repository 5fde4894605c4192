"""The pages: what they say, that nothing in them is run or fetched, and that a missing proof is never green."""

import random
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from rocmimg.builds import CellResult
from rocmimg.builds.steps import Step as BuildStep
from rocmimg.builds.steps import StepName
from rocmimg.checks.model import ImageResult
from rocmimg.report.page import Run, svg, write_page
from rocmimg.report.page.graph import essential
from rocmimg.report.page.model import Build, Cell, Decision, Name, Stage
from rocmimg.report.page.records import build_of, layers_of
from rocmimg.report.page.sizes import layer_rows, package_rows
from rocmimg.report.page.troubles import missing
from rocmimg.report.page.verdict import verdict
from rocmimg.report.page.words import duration, human
from sample_runs import EVIL, STAGES, checked, run_of

VERBS = ("build", "test", "plan", "status")


class Seen(HTMLParser):
    """Tags, ids and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.loads, self.handlers = set(), [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "xlink:href"):
                self.links.append((tag, value))
            if name in ("src", "srcset", "data", "action"):
                self.loads.append(value)
            if name.startswith("on"):
                self.handlers.append(name)


@pytest.fixture(scope="module", params=VERBS)
def page(request, tmp_path_factory):
    """A page full of hostile text."""
    path = tmp_path_factory.mktemp("pages") / "page.html"
    write_page(run_of(request.param, 2, evil=True), path)
    return path.read_text(encoding="utf-8")


def test_hostile_text_stays_text(page):
    seen = Seen(page)
    assert not seen.tags & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert seen.handlers == []
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page


def test_nothing_is_fetched(page):
    seen = Seen(page)
    assert seen.loads == []
    assert {tag for tag, _ in seen.links} == {"a"}
    assert "default-src 'none'" in page
    assert "@import" not in page
    assert set(re.findall(r"url\(([^)]*)\)", page)) <= {"#hatch", "#hatch-missing"}


def test_every_id_is_there_once_and_every_link_within_the_page_leads_somewhere(page):
    seen = Seen(page)
    assert sorted(seen.ids) == sorted(set(seen.ids))
    assert {value[1:] for _, value in seen.links if value.startswith("#")} <= set(seen.ids)


def test_every_picture_has_a_title_and_a_description(page):
    assert page.count('class="chart"') == page.count('-d">') == len(re.findall(r"aria-labelledby=", page))
    assert page.count('class="chart"') >= 1


def test_what_stands_on_a_page_of_checks(tmp_path):
    write_page(run_of("test", 2), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for part in ("it stayed in the build stage", "copy it", "no AMD GPU", "exit code 8",
                 "failure-classes.md#f23", "ann", "6efb3aaf3b90-dirty", "docker 28.3", "cell0.log"):  # fmt: skip
        assert part in text
    assert text.index("<h2>Failures") < text.index("<h2>Cells") < text.index("<h2>Not proven")


def test_one_cause_is_one_failure_with_all_its_cells(tmp_path, monkeypatch):
    monkeypatch.setattr(svg, "available", lambda: False)
    run = run_of("test", 30)
    same = [replace(cell, checks=checked(cell.id, "gfx942", random.Random(1), fails=True)) for cell in run.cells]  # noqa: S311
    write_page(replace(run, cells=tuple(same)), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count('<article class="finding failed">') == 1


def test_without_what_draws_there_is_a_page_and_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(svg, "available", lambda: False)
    write_page(run_of("build", 2), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'class="chart"' not in text
    assert "rocmimg[html]" in text


def test_tiers_that_nobody_asked_for_are_not_proven(tmp_path):
    run = Run(head=run_of("test", 1).head, cells=(Cell(id="c", checks=_result("aot", "gpu")),))
    assert [(one.reason, one.checks, one.cells) for one in missing(run)] == [
        ("nobody asked for it", (("all of aot", ()), ("all of gpu", ())), ("c",))
    ]


def test_a_picture_that_cannot_be_drawn_costs_itself():
    drawn = svg.draw({"mark": "no such mark <b>"}, "title", "description", "name")
    assert drawn.startswith('<p class="note">This picture could not be drawn: ')
    assert "<b>" not in drawn


def _result(*left_out: str, **changes) -> ImageResult:
    """A result in which all passed, on a GPU, but for the tiers left out."""
    result = checked("c", "gfx942", random.Random(1))  # noqa: S311
    tiers = ("image", "import", "aot", "gpu")
    checks = tuple(
        replace(result.checks[0], id=tier, tier=tier, archs=("gfx942",), device="gfx942 MI300X" * (tier == "gpu"))
        for tier in tiers
        if tier not in left_out
    )
    return replace(result, checks=checks, **changes)


def _verdict(verb, *cells, exit_code=0):
    return verdict(Run(head=replace(run_of(verb, 1).head, exit_code=exit_code), cells=cells))


def test_green_is_only_what_lacks_nothing():
    good = Cell(id="a", checks=_result())
    built = replace(good, build=Build(status="built"))
    assert _verdict("test", good).state == "ok"
    assert _verdict("build", built).state == "ok"
    assert _verdict("test", good, exit_code=10).state == "missing"
    assert "exit code 10" in _verdict("test", good, exit_code=10).text
    assert _verdict("test", good, Cell(id="b", checks=_result("gpu"))).state == "missing"
    assert (
        _verdict("test", good, Cell(id="b", checks=replace(_result(), checks=(), reason="no image"))).state == "missing"
    )
    assert _verdict("test", good, Cell(id="b", checks=_result(archs=("gfx942", "gfx950")))).state == "missing"
    assert _verdict("test").state == "missing"
    assert _verdict("build", built, Cell(id="b", build=Build(status="up-to-date"))).state == "missing"
    assert _verdict("build", built, Cell(id="b", build=Build(status="cancelled"))).state == "missing"
    assert _verdict("build", built, Cell(id="b", build=Build(status="failed"))).state == "failed"
    assert _verdict("plan", Cell(id="a", decision=Decision(action="up-to-date", reasons=()))).state == "info"


def test_a_name_without_its_proofs_is_not_green():
    def names(**states):
        return Cell(id="a", names=(Name(kind="alias", name="n", digest="sha256:1", states=states),))

    assert _verdict("status", names(image="proven")).state == "ok"
    assert _verdict("status", names(image="proven", gpu="overridden")).state == "missing"
    assert _verdict("status", names(image="failed")).state == "failed"
    assert _verdict("status", Cell(id="a", names=(Name(kind="alias", name="n", digest=""),))).state == "missing"
    assert _verdict("status", Cell(id="a")).state == "missing"


def test_a_build_report_is_read_back_as_it_was_written():
    steps = (
        BuildStep(name=StepName.parse("[aiter 1/2] RUN make"), status="done", started=1000.5, seconds=30.0),
        BuildStep(name=StepName.parse("exporting to image"), status="cached", started=1031.0, seconds=0.0),
    )
    result = CellResult(id="c", status="built", seconds=40.0, started=1000.0, steps=steps, image_id="sha256:1")
    build = build_of(result.as_json())
    assert [(one.stage, one.state, one.start, one.seconds) for one in build.steps] == [
        ("aiter", "done", 0.5, 30.0),
        ("", "cached", 31.0, 0.0),
    ]
    assert (build.status, build.began, build.seconds) == ("built", 1000.0, 40.0)


def test_a_report_of_an_earlier_version_has_no_steps():
    assert build_of({"id": "c", "status": "built", "seconds": 1.0, "steps": 7}).steps == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]'),
        ("RUN |1 A=b /bin/bash -eux -o pipefail -c make -j # buildkit", "RUN make -j"),
        ("RUN /bin/sh -c apt-get update # buildkit", "RUN apt-get update"),
        ("/bin/sh -c make", "RUN make"),
        ("COPY a b # buildkit", "COPY a b"),
        ("", "a layer without a name"),
    ],
)
def test_instructions_are_shown_as_they_were_written(text, shown):
    assert layers_of([(text, 1)], 0)[0].text == shown


def test_layers_are_summed_up_without_losing_a_byte():
    layers = layers_of([(f"RUN {n}", n) for n in range(40)], 5)
    rows = layer_rows(layers)
    assert sum(row.size for row in rows) == sum(range(40))
    assert rows[0].text == "base image, 4 layers"
    assert rows[-1].text == "25 smaller layers"


def test_packages_are_summed_up_without_losing_a_byte():
    rows = package_rows({"packages": {f"p{n}": {"gfx942": n} for n in range(40)}})
    assert sum(sum(archs.values()) for archs in rows.values()) == sum(range(40))
    assert list(rows)[-1] == "28 smaller packages"


def test_arcs_that_follow_from_others_are_left_out():
    stages = [Stage(name=name, uses=uses) for name, uses in STAGES.items()]
    final = next(stage for stage in stages if stage.name == "final")
    assert essential(stages, final) == ["mori", "nixl", "flash-attention", "sglang"]
    assert essential([Stage(name="a", uses=("a", "gone"))], Stage(name="a", uses=("a", "gone"))) == []


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (80 << 30, "80.0 GiB")])
def test_sizes_are_for_people(size, text):
    assert human(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (42, "42 s"), (59.6, "1 min 0 s"), (3599.6, "1 h 0 min")]
)
def test_times_are_for_people(seconds, text):
    assert duration(seconds) == text


def test_the_sample_is_hostile():
    assert "<script>" in EVIL
