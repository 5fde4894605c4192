"""Which bytes of a layer a later one hides, and whose they are."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from typing import IO

import pytest

from rocmimg.engine.layers import dead, read_layers


def tar(files: Mapping[str, bytes | None]) -> bytes:
    """A tar; None is a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            if data is None:
                info.type = tarfile.DIRTYPE
            info.size = len(data or b"")
            archive.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()


def archive(*layers: bytes, names: str = "{}/layer.tar", manifest_first: bool = False) -> io.BytesIO:
    """What `docker save` gives."""
    steps = [{"created_by": f"RUN step {number}"} for number in range(1, len(layers) + 1)]
    config = {"history": [steps[0], {"created_by": "ENV A=1", "empty_layer": True}, *steps[1:]]}
    paths = [names.format(number) for number in range(len(layers))]
    described = {
        "manifest.json": json.dumps([{"Config": "c.json", "Layers": paths}]).encode(),
        "c.json": json.dumps(config).encode(),
    }
    content = dict(zip(paths, layers, strict=True))
    return io.BytesIO(tar(described | content if manifest_first else content | described))


def members(file: io.BytesIO) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    with tarfile.open(fileobj=file, mode="r|") as opened:
        for member in opened:
            yield member, opened.extractfile(member) or io.BytesIO()


SITE = "usr/lib/python3/dist-packages"
FIRST = {
    "usr/lib/a.so": b"a" * 100,
    "opt/kept": b"k" * 7,
    "opt/tool/one": b"1" * 10,
    "opt/tool/deep/two": b"2" * 20,
    "var/cache/lists/x": b"x" * 5,
    "var/lib/dpkg/info/liba:amd64.list": b"/.\n/usr\n/lib/a.so\n",
    f"{SITE}/torch/lib.so": b"t" * 1000,
    f"{SITE}/torch_x-2.1.dist-info/RECORD": b"torch/lib.so,sha256=x,1000\ntorch_x-2.1.dist-info/RECORD,,\n",
    f"{SITE}/loose/mod.py": b"l" * 50,
}
SECOND = {
    "usr/lib/a.so": b"b" * 3,
    "opt/.wh.tool": b"",
    "var/cache/lists": None,
    "var/cache/lists/.wh..wh..opq": b"",
    "var/cache/lists/y": b"y" * 4,
    f"{SITE}/torch/lib.so": b"T" * 2000,
    f"{SITE}/loose": b"now a file",
}
THIRD = {"opt/tool/one": b"back", "var/cache/.wh.lists": b""}


@pytest.mark.parametrize("form", ["{}/layer.tar", "blobs/sha256/{}", "{}.tar"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_what_is_replaced_or_removed_is_told_by_layer_and_package(form: str, packed: bool, first: bool) -> None:
    given = [gzip.compress(tar(one)) if packed else tar(one) for one in (FIRST, SECOND, THIRD)]
    lower, upper = dead(read_layers(members(archive(*given, names=form, manifest_first=first))))
    assert (lower.layer, lower.created_by, lower.bytes) == (1, "RUN step 1", 1185)
    assert dict(lower.packages) == {
        "torch_x": 1000, "liba": 100, "loose": 50, "/opt/tool/deep": 20, "/opt/tool": 10, "/var/cache/lists": 5,
    }  # fmt: skip
    assert (upper.layer, upper.created_by, dict(upper.packages)) == (2, "RUN step 2", {"/var/cache/lists": 4})


def test_an_image_in_which_nothing_is_replaced_has_none() -> None:
    assert dead(read_layers(members(archive(tar({"a": b"1"}), tar({"b": b"2"}))))) == []


def test_what_is_no_tar_is_told() -> None:
    with pytest.raises(ValueError, match="is in a form that is not read"):
        read_layers(members(archive(tar({"a": b"1"}), b"\x28\xb5\x2f\xfd" + b"z" * 2000)))
    with pytest.raises(ValueError, match=r"has no manifest\.json"):
        read_layers(members(io.BytesIO(tar({"x": b"{}"}))))
