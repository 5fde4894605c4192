"""The probe's ELF reader against pyelftools, on this machine's own libraries, and on garbage."""

import sysconfig
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from hypothesis import given
from hypothesis import strategies as st

from rocmimg.checks.probe.elf import Elf, NotElf, describe
from rocmimg.checks.probe.source import Source

# A package that is being installed meanwhile has names of its own until it is whole.
LIBRARIES = sorted(
    {path.resolve() for path in Path("/usr/lib").glob("**/lib[cmsz]*.so.*") if "dpkg-" not in path.suffix}
    | {path.resolve() for path in Path(sysconfig.get_path("platstdlib")).glob("lib-dynload/_*.so")}
)[:60]


def by_pyelftools(path):
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        found = {"soname": "", "needed": [], "rpath": "", "runpath": "", "versions_needed": [], "build_id": ""}
        defined = []
        for section in elf.iter_sections():
            if isinstance(section, DynamicSection):
                for tag in section.iter_tags():
                    if tag.entry.d_tag == "DT_NEEDED":
                        found["needed"].append(tag.needed)
                    elif tag.entry.d_tag in ("DT_SONAME", "DT_RPATH", "DT_RUNPATH"):
                        name = tag.entry.d_tag[3:].lower()
                        found[name] = getattr(tag, name)
            elif isinstance(section, GNUVerNeedSection):
                found["versions_needed"] = [aux.name for _, auxes in section.iter_versions() for aux in auxes]
            elif isinstance(section, GNUVerDefSection):
                defined = [next(iter(auxes)).name for _, auxes in section.iter_versions()]
            elif section.name == ".note.gnu.build-id":
                found["build_id"] = next(iter(section.iter_notes()))["n_desc"]
        return found, defined, elf.header.e_machine


@pytest.mark.parametrize("path", LIBRARIES, ids=lambda path: path.name)
def test_agrees_with_pyelftools(path):
    try:
        elf = Elf(Source(str(path)))
    except NotElf:
        assert path.read_bytes()[:5] != b"\x7fELF\x02"
        return
    expected, defined, _ = by_pyelftools(path)
    assert describe(elf) == expected
    assert elf.versions_defined() == defined


def test_there_are_libraries_to_compare():
    assert len(LIBRARIES) > 5


@given(st.binary(max_size=400), st.booleans())
def test_garbage_is_no_elf_file(data, with_magic):
    try:
        describe(Elf(b"\x7fELF\x02\x01" + data if with_magic else data))
    except NotElf:
        return
    # What still reads has nothing in it.


@given(st.data())
def test_a_damaged_library_costs_nobody_anything(data):
    content = bytearray(_SMALL)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        describe(Elf(bytes(content[: data.draw(st.integers(0, len(content)))])))
    except NotElf:
        return


_SMALL = min(LIBRARIES, key=lambda path: path.stat().st_size).read_bytes()
