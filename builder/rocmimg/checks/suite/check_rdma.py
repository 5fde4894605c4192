from __future__ import annotations

import re
from typing import Final

from rocmimg.checks import Image, check, not_applicable

_ABI: Final = re.compile(r"IBVERBS_PRIVATE_([0-9]+)")


@check("rdma-abi", tier="image", classes=["F25"])
def check_rdma_abi(image: Image) -> None:
    """Drivers of network cards fit the image's libibverbs."""
    files = image.probe["files"]
    providers = files["rdma_providers"]
    if not providers:
        not_applicable("there are no drivers for RDMA network cards")
    libraries = {
        one["path"]: {m[1] for m in map(_ABI.fullmatch, one.get("versions_defined", [])) if m}
        for one in files["objects"]
        if one["path"].rpartition("/")[2].startswith("libibverbs.so")
    }
    image.note(
        providers={one["name"]: one["abi"] for one in providers},
        libibverbs={p: sorted(v) for p, v in libraries.items()},
    )
    abis = set().union(*libraries.values()) if libraries else set()
    for one in providers:
        if one["abi"] not in abis:
            has = ", ".join(sorted(abis)) or "none: it is not there"
            image.finding(
                f"{one['path']} is for ABI {one['abi']}; libibverbs has {has}",
                path=one["path"],
                cause="the driver and rdma-core come from different releases: libibverbs passes it over without a word",
                fix="install both from one source",
            )
