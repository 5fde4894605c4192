#!/usr/bin/env python3
"""Write docs/failure-classes.md from the suite and from the tests that seed its faults."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from checks.faults import FAULTS  # noqa: E402

from rocmimg.checks.classes import CLASSES  # noqa: E402
from rocmimg.checks.suites import listed  # noqa: E402
from rocmimg.lint.rules import all_rules  # noqa: E402

DOCUMENT = ROOT / "docs" / "failure-classes.md"
HEAD = """\
# Failure classes, and what proves that they are caught

Made by scripts/failure_classes.py from the suite and from tests/integration/checks/faults.py: change those, not this.

A class is a way in which ROCm images were released broken. Each row is a check of `rocmimg test` that claims the class.
*Proven by* names the seeded faults: images that are made with that one thing wrong, on which exactly this check must
fail, and which differ in nothing else from an image on which none fails. They run with `make test`, on a real engine.
Two things are otherwise in the rows of the tier aot: a broken compiler fails every check that it compiles for, so the
test asserts that set; and the rows of Triton need an image with Triton, which `make test` does not build: without it
they are skipped and say so.
Classes that the Dockerfile's text or the pins give away are caught earlier, by `rocmimg lint` and `rocmimg contract`.
[public-failures.md](public-failures.md) has reports of others, rebuilt: what was caught before, and what is now.

| class | what goes wrong | tier | check | proven by |
|---|---|---|---|---|
"""
KERNELS = "compilers that make code for another GPU, or none (tests/integration/kernels)"
OTHERS = {"contract": "an image with another release than its pin (tests/integration/checks/test_contract.py)"}


def document() -> str:
    """The whole file."""
    rows = []
    for name, title in CLASSES.items():
        anchor = f'<a id="{name.lower()}"></a>'  # what pages link to
        for info in listed():
            if name in info.classes:
                rows.append(f"| {anchor}{name} | {title} | {info.tier} | {info.id} | {proof(info)} |")
                anchor = ""
    plain = [info for info in listed() if not info.classes and info.tier in ("image", "import")]
    rest = "\n".join(f"| {info.id} | {info.tier} | {info.title} | {proof(info)} |" for info in plain)
    return (
        HEAD + "\n".join(rows) + "\n\n## Checks of the runtime contract, which no class is about\n\n"
        "| check | tier | what it shows | proven by |\n|---|---|---|---|\n" + rest + "\n" + lint_rules()
    )


def lint_rules() -> str:
    """The rules of lint, by the class that they are about."""
    rules = sorted(all_rules().values(), key=lambda r: (r.failure_class == "-", r.failure_class, r.id))
    rows = [f"| {rule.failure_class} | {rule.id} | {rule.level.value} | {rule.title} |" for rule in rules]
    return (
        "\n## Rules of lint, by class\n\n"
        "Caught in the Dockerfile's text ([lint](lint.md)); `rocmimg lint --explain RULE` has the case. Each has a\n"
        "Dockerfile on which it fires and a corrected twin on which it is silent (tests/unit/lint). `-`: no class.\n\n"
        "| class | rule | level | what it says |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def proof(info) -> str:  # noqa: ANN001
    if info.tier == "gpu":
        return "not proven: it never ran on an AMD GPU"
    if info.tier == "aot":
        return KERNELS
    return "; ".join(fault.name for fault in FAULTS if fault.check == info.id) or OTHERS.get(info.id, "unit tests only")


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
