"""Offload bundles: read back what was packed, say what cannot be read, and never break."""

import ctypes
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocmimg.checks.probe.fatbin import BUNDLE, Code, Unreadable, codes

ARCHS = ["gfx90a", "gfx942", "gfx950", "gfx1100", "gfx1201", "gfx1250", "gfx9-4-generic", "gfx11-generic"]
NAMES = ["hip-amdgcn-amd-amdhsa--{}", "hipv4-amdgcn-amd-amdhsa--{}", "hipv4-amdgcn-amd-amdhsa--{}:sramecc+:xnack-"]


def bundle(entries):
    """A bundle of (name, content)."""
    head = len(BUNDLE) + 8 + sum(24 + len(name) for name, _ in entries)
    table, body = b"", b""
    for name, content in entries:
        table += struct.pack("<QQQ", head + len(body), len(content), len(name)) + name.encode()
        body += content
    return BUNDLE + struct.pack("<Q", len(entries)) + table + body


def gpu_bundle(archs, pattern=NAMES[0], size=64):
    host = ("host-x86_64-unknown-linux-gnu-", b"")
    return bundle([host, *((pattern.format(arch), bytes(size)) for arch in archs)])


def zstd(data):
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compressBound.restype = library.ZSTD_compress.restype = ctypes.c_size_t
    library.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    out = ctypes.create_string_buffer(library.ZSTD_compressBound(len(data)))
    library.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    size = library.ZSTD_compress(out, len(out), data, len(data), 3)
    return out.raw[:size]


def compressed(data, version, method):
    body = (zlib.compress, zstd)[method](data)
    fields = {1: ("<I", [len(data)]), 2: ("<II", [24 + len(body), len(data)]), 3: ("<QQ", [32 + len(body), len(data)])}
    layout, values = fields[version]
    return b"CCOB" + struct.pack("<HH", version, method) + struct.pack(layout, *values) + bytes(8) + body


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(ARCHS), min_size=1, max_size=5, unique=True),
            st.sampled_from(NAMES),
            st.integers(0, 3),
            st.integers(0, 1),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 4095),
)
def test_every_bundle_of_a_section_is_read(bundles, padding):
    section, expected = b"", []
    for archs, pattern, version, method in bundles:
        plain = gpu_bundle(archs, pattern)
        section += (compressed(plain, version, method) if version else plain) + bytes(padding)
        expected += [(arch, 64, bool(version)) for arch in archs]
    assert [(code.arch, code.size, code.compressed) for code in codes(section)] == expected


def test_a_code_object_is_believed_before_the_table():
    head = bytearray(64)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<I", head, 48, 0x54C)
    lying = bundle([("hip-amdgcn-amd-amdhsa--gfx950", bytes(head))])
    assert [code.arch for code in codes(lying)] == ["gfx942"]


def test_a_large_bundle_is_unpacked_only_as_far_as_its_table():
    plain = gpu_bundle(["gfx942", "gfx950"], size=16 << 20)
    found = list(codes(compressed(plain, 2, 1)))
    assert found == [Code("gfx942", 16 << 20, True), Code("gfx950", 16 << 20, True)]


@pytest.mark.parametrize("version", [0, 4, 99])
def test_an_unknown_version_is_said_to_be_unreadable(version):
    with pytest.raises(Unreadable, match=f"version {version}"):
        list(codes(b"CCOB" + struct.pack("<HH", version, 0) + bytes(64)))


@pytest.mark.parametrize("cut", range(30, 130, 7))
def test_a_bundle_that_is_cut_off_is_unreadable(cut):
    with pytest.raises(Unreadable):
        list(codes(gpu_bundle(["gfx942", "gfx950"])[:cut]))


@given(st.binary(max_size=300), st.sampled_from([b"", BUNDLE, b"CCOB\x01\0\0\0", b"CCOB\x02\0\1\0", b"CCOB\x03\0\1\0"]))
def test_garbage_is_unreadable_or_nothing(data, start):
    try:
        found = list(codes(start + data))
    except Unreadable:
        return
    assert all(code.arch.startswith("gfx") for code in found)
