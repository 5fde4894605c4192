"""Pictures of sizes: layers, GPU code by package and architecture, one image against another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from rocmimg.checks.coverage import covers
from rocmimg.report.page.marks import ROW, Spec, bars, size_axis, spec, words
from rocmimg.report.page.model import Layer, Published
from rocmimg.report.page.words import human

_PALETTE: Final = 8
"""So many architectures have a colour of their own in page.css."""
_LAYERS: Final = 10
_PACKAGES: Final = 12


def layer_rows(layers: Sequence[Layer]) -> list[Layer]:
    """What is shown of an image: the base as one, the largest layers in their order, the rest as one."""
    base = [layer for layer in layers if layer.base]
    own = [layer for layer in layers if not layer.base and layer.size]
    shown = sorted(range(len(own)), key=lambda n: -own[n].size)[: _LAYERS if len(own) > _LAYERS + 1 else len(own)]
    rest = [layer for n, layer in enumerate(own) if n not in shown]
    rows = [own[n] for n in sorted(shown)]
    if base:
        count = sum(1 for layer in base if layer.size)
        rows.insert(
            0,
            Layer(text=f"base image, {count} layer{'s' * (count != 1)}", size=sum(one.size for one in base), base=True),
        )
    if rest:
        rows.append(Layer(text=f"{len(rest)} smaller layers", size=sum(layer.size for layer in rest), base=False))
    return rows


def layers(found: Sequence[Layer], longest: int) -> Spec:
    """Layers as rows in the order of the image, on the scale on which ``longest`` bytes fill it."""
    rows = layer_rows(found)
    values = [
        {
            "row": n,
            "start": 0,
            "end": max(one.size, longest * 0.005),
            "kind": "base image" if one.base else "built here",
            "says": f"{one.text}: {human(one.size)}",
        }
        for n, one in enumerate(rows)
    ]
    fills = {"base image": "var(--other)", "built here": "var(--bar)"}
    axis = size_axis(longest)
    names = [(one.text, human(one.size), "var(--soft)") for one in rows]
    return spec(ROW * len(rows), [bars(values, len(rows), fills, axis, (0, longest)), *words(names)])


def arch_fills(coverages: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """A colour for each architecture of a page: first those that its images are for."""
    expected: dict[str, None] = {}
    others: dict[str, None] = {}
    for one in coverages:
        expected |= dict.fromkeys(one.get("expected", ()))
        others |= dict.fromkeys(sorted(arch for archs in one.get("packages", {}).values() for arch in archs))
    ordered = [*sorted(expected), *sorted(others.keys() - expected.keys())]
    return {arch: f"var(--arch{n + 1})" for n, arch in enumerate(ordered[:_PALETTE])} | {"others": "var(--other)"}


def package_rows(coverage: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Packages with GPU code, largest first, the small ones as one."""
    packages: dict[str, dict[str, int]] = dict(coverage.get("packages", {}))
    ordered = sorted(packages, key=lambda name: -sum(packages[name].values()))
    shown = ordered[: _PACKAGES if len(ordered) > _PACKAGES + 1 else len(ordered)]
    rows = {name: packages[name] for name in shown}
    if rest := ordered[len(shown) :]:
        merged: dict[str, int] = {}
        for name in rest:
            for arch, size in packages[name].items():
                merged[arch] = merged.get(arch, 0) + size
        rows[f"{len(rest)} smaller packages"] = merged
    return rows


def coverage(found: Mapping[str, Any], fills: Mapping[str, str], longest: int) -> Spec:
    """Packages as rows, their GPU code by architecture, on the scale on which ``longest`` bytes fill it."""
    rows = package_rows(found)
    expected = tuple(found.get("expected", ()))
    names, values = [], []
    for row, (package, archs) in enumerate(rows.items()):
        lacking = [arch for arch in expected if not covers(archs, arch)] if package in found["packages"] else []
        total = human(sum(archs.values()))
        names.append(
            (package, f"no {', '.join(lacking)}" if lacking else total, "var(--failed)" if lacking else "var(--soft)")
        )
        sizes: dict[str, int] = {}
        for arch in sorted(archs, key=lambda arch: (arch not in expected, arch not in fills, arch)):
            kind = arch if arch in fills else "others"
            sizes[kind] = sizes.get(kind, 0) + archs[arch]
        ends = list(accumulate(max(size, longest * 0.004) for size in sizes.values()))
        for (kind, size), start, end in zip(sizes.items(), [0, *ends], ends, strict=False):
            values.append(
                {"row": row, "start": start, "end": end, "kind": kind, "says": f"{package}: {kind}, {human(size)}"}
            )
    axis = size_axis(longest)
    widest = max([longest, *(float(str(value["end"])) for value in values)])
    return spec(ROW * len(rows), [bars(values, len(rows), fills, axis, (0, widest), least=0), *words(names)])


def comparison(images: Sequence[Published]) -> Spec:
    """Images as rows: layers that all of them have, and those that each has alone."""
    shared = set.intersection(*(set(image.layers) for image in images))
    longest = max(sum(image.layers.values()) for image in images) or 1
    names, values = [], []
    for row, image in enumerate(images):
        both = sum(size for digest, size in image.layers.items() if digest in shared)
        own = sum(image.layers.values()) - both
        names.append((image.label, human(both + own), "var(--soft)"))
        for kind, start, size in (("in both", 0, both), ("in one only", both, own)):
            if size:
                said = f"{image.label}: {human(size)} {kind}"
                values.append({"row": row, "start": start, "end": start + size, "kind": kind, "says": said})
    fills = {"in both": "var(--other)", "in one only": "var(--bar)"}
    return spec(ROW * len(images), [bars(values, len(images), fills, size_axis(longest), (0, longest)), *words(names)])
