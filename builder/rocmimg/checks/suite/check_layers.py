from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rocmimg.checks import Image, check, fail, not_applicable
from rocmimg.engine import connect
from rocmimg.engine.layers import dead
from rocmimg.errors import RocmimgError

if TYPE_CHECKING:
    from rocmimg.engine.layers import Dead

MIB: Final = 1 << 20
_HIDDEN: Final = 64 * MIB
_HIDDEN_PART: Final = 0.05
"""Less than either is not worth a note."""
_READ: Final = 16 << 30
"""Layers of more bytes are not read one by one: the engine writes the whole image out for that."""
_NAMED: Final = 3
"""Layers, and packages of each, that a finding names; the report's details have all of a layer's first ones."""
_LISTED: Final = 20


@check("layer-bytes", tier="image", classes=["F40", "F49"])
def check_layer_bytes(image: Image) -> None:
    """Layers hold little that a later layer replaces or removes; which, and of which package."""
    layers = sum(entry["size"] for entry in image.history)
    live = image.probe["files"]["bytes"]
    hidden = layers - live
    image.note(layers=layers, live=live)
    if not layers:
        not_applicable("the engine does not tell the sizes of the layers")
    limit = image.expect.max_hidden_mib
    too_much = bool(limit) and hidden > limit * MIB
    if not too_much and (limit or hidden <= max(_HIDDEN, layers * _HIDDEN_PART)):
        return
    said = (
        f"{hidden // MIB} of {layers // MIB} MiB in the layers are not in the image any more: a later layer replaced "
        f"or removed them. {_whose(image, layers)}"
    )
    if too_much:
        fail(
            f"{said}; {limit} MiB are allowed (checks.max_hidden_mib)",
            cause="something was installed twice, or removed in another step than the one that brought it",
            fix="install it once, at its last version, and remove what a step does not leave behind in that step",
        )
    image.remark(said)


def _whose(image: Image, layers: int) -> str:
    """Which layers hold it, and of which packages."""
    if layers > _READ:
        return f"Whose they are was not read: the layers have more than {_READ >> 30} GiB"
    try:
        with connect() as engine:
            found = sorted(dead(engine.layers(image.detail["id"])), key=lambda one: -one.bytes)
    except RocmimgError as error:
        return f"Whose they are is not known: {error}"
    image.note(dead=[_listed(one) for one in found])
    return "; ".join(_named(one) for one in found[:_NAMED])


def _listed(one: Dead) -> dict[str, object]:
    packages = dict(list(one.packages.items())[:_LISTED])
    return {"layer": one.layer, "created_by": one.created_by[:200], "bytes": one.bytes, "packages": packages}


def _named(one: Dead) -> str:
    packages = [f"{name} {size // MIB}" for name, size in list(one.packages.items())[:_NAMED] if size >= MIB]
    step = re.sub(r"^(RUN )?\|\d+ .*? (?=/bin/)", "RUN ", " ".join(one.created_by.split()))
    return f"layer {one.layer} {one.bytes // MIB} MiB ({', '.join(packages) or 'small files'}; {step[:80]})"
