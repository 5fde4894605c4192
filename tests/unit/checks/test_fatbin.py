"""Offload bundles: read back what was packed, say what cannot be read, and never break."""

import ctypes
import io
import struct
import zipfile
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocmimg.checks.coverage import coverage, covers
from rocmimg.checks.probe.archives import archs_in, kpack, unread
from rocmimg.checks.probe.fatbin import BUNDLE, Code, Unreadable, codes
from rocmimg.checks.probe.machines import GENERIC, MACHINES, machine, target
from rocmimg.checks.probe.source import Memory

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


def code_object(flags, abi=2, body=200):
    """The smallest ELF file that AMD's HSA would call its own."""
    ident = b"\x7fELF\x02\x01\x01\x40" + bytes([abi]) + bytes(7)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 120, 0, 0, body, body, 4096)
    return (
        struct.pack("<16sHHIQQQIHHHHHH", ident, 3, 224, 1, 0, 64, 0, flags, 64, 56, 1, 64, 0, 0) + segment + bytes(body)
    )


@pytest.mark.parametrize(
    ("flags", "abi", "name"),
    [
        (0x2A, 2, "gfx803"),
        (0x54C, 2, "gfx942"),
        (0xE3F, 2, "gfx90a:sramecc+:xnack-"),
        (0x33F, 2, "gfx90a:xnack+"),
        (0x13F, 1, "gfx90a:xnack+"),
        (0x0100005F, 4, "gfx9-4-generic"),
        (0xFF, 2, "unknown (0xff)"),
    ],
)
def test_a_code_object_names_its_target_with_features(flags, abi, name):
    assert target(flags, abi) == name
    data = code_object(flags, abi)
    assert list(codes(data)) == [Code(name, len(data), False)]


def test_every_number_is_one_name_and_every_generic_target_has_one():
    assert len(set(MACHINES.values())) == len(MACHINES)
    assert set(GENERIC) == {name for name in MACHINES.values() if name.endswith("-generic")}
    assert {one for served in GENERIC.values() for one in served} <= set(MACHINES.values())
    assert machine(0x54C) == "gfx942"


def test_code_for_any_gpu_and_for_a_family_serves_an_arch():
    spirv = bundle([("host-x86_64-unknown-linux-gnu-", b""), ("hip-spirv64-amd-amdhsa--amdgcnspirv", bytes(9))])
    assert list(codes(spirv)) == [Code("amdgcnspirv", 9, False)]
    assert covers(["amdgcnspirv"], "gfx942")
    assert covers(["gfx9-4-generic"], "gfx942")
    assert not covers(["gfx9-4-generic"], "gfx90a")
    objects = [
        {"kind": "program", "owner": "a", "archs": {"gfx9-4-generic": 5}},
        {"kind": "shared object", "owner": "b", "archs": {"gfx942": 5}},
    ]
    found = coverage({"objects": objects}, ["gfx942", "gfx90a"])
    assert found["serves"] == {"gfx942": {"gfx9-4-generic": ["a"]}}
    assert found["packages"]["a"] == {"gfx9-4-generic": 5}


@given(st.lists(st.sampled_from(sorted(MACHINES)), min_size=1, max_size=5), st.binary(max_size=400), st.integers(0, 99))
def test_code_objects_between_other_data_are_found(flags, noise, padding):
    data = b"".join(noise + bytes(padding) + code_object(one) for one in flags)
    assert [code.arch for code in codes(data, sure=False)] == [MACHINES[one] for one in flags]


def test_the_marks_as_strings_of_a_program_are_no_code():
    text = b"usage: __CLANG_OFFLOAD_BUNDLE__\0CCOB\0 and \x7fELF\x02\x01\x01\x40 is the head\0" * 3 + bytes(100)
    assert list(codes(text, sure=False)) == []
    with pytest.raises(Unreadable):
        list(codes(text))


class Counting(Memory):
    """Bytes that were read."""

    total = 0

    def read(self, start, count):
        data = super().read(start, count)
        self.total += len(data)
        return data


@pytest.mark.parametrize("count", [50, 400])
def test_many_bundles_are_read_in_one_pass(count):
    one = gpu_bundle(["gfx942", "gfx950"], size=20_000)
    source = Counting((one + bytes(-len(one) % 4096)) * count)
    assert len(list(codes(source))) == 2 * count
    assert source.total < source.size


KPACK = {
    "group_name": "blas", "gfx_arch_family": "gfx94X", "gfx_arches": ["gfx942"],
    "toc": {"lib/a.so": {"gfx942": {"type": "hsaco", "original_size": 70_000}, "gfx950:xnack-": {"size": 5}}},
}  # fmt: skip


def pack(table):
    return b"KPAK" + struct.pack("<IQ", 1, 64) + bytes(48) + msgspec.msgpack.encode(table)


def test_a_kernel_pack_is_read_by_its_table():
    assert kpack(Memory(pack(KPACK))) == [Code("gfx942", 70_000, True), Code("gfx950:xnack-", 5, False)]


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)


@given(
    st.recursive(
        PLAIN | st.text(max_size=40) | st.binary(max_size=40),
        lambda one: st.lists(one, max_size=20) | st.dictionaries(st.text(max_size=5), one, max_size=20),
        max_leaves=30,
    )
)
def test_any_table_of_a_kernel_pack_is_walked(extra):
    assert len(kpack(Memory(pack({"extra": extra, **KPACK})))) == 2


@given(st.binary(max_size=200), st.integers(0, 300))
def test_a_damaged_kernel_pack_is_unreadable_or_read(noise, cut):
    for data in (pack(KPACK)[:cut], b"KPAK" + noise):
        try:
            kpack(Memory(data))
        except Unreadable:
            continue


def test_archives_of_kernels_are_named():
    assert archs_in("gfx90a6e.kdb") == ["gfx90a"]
    assert archs_in("Kernels.so-000-gfx1100.hsaco") == ["gfx1100"]
    assert archs_in("TensileLibrary_gfx9-4-generic.co") == ["gfx9-4-generic"]
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("k/add_gfx942.hsaco", b"1")
        archive.writestr("k/readme", b"1")
    for path, head, kind, archs in (
        ("/t/aotriton.images/amd-gfx942/flash.aks2", b"AKS2" + bytes(99), "AOTriton's archive of kernels", ["gfx942"]),
        ("/m/gfx90a6e.kdb", b"SQLite format 3\0", "MIOpen's database of kernels", ["gfx90a"]),
        ("/c/model.pt2", zipped.getvalue(), "an archive of 1 code objects", ["gfx942"]),
        ("/c/add_gfx942.hsaco.zst", b"(\xb5/\xfd", "a compressed code object", ["gfx942"]),
        ("/c/add.hsaco", b"what", "neither a code object nor an offload bundle", []),
    ):
        found = unread(path, head, Memory(head))
        assert (found["kind"], found["archs"]) == (kind, archs)
    for path, head in (("/a/x.zip", b"PK\3\4broken"), ("/a/locale.co", b"text"), ("/a/x.bin", b"AKS")):
        assert unread(path, head, Memory(head)) is None
