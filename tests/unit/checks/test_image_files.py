"""What the probe reads of an image's files: the loader's way, packages, metadata, kernel folders, the entry point."""

import io
import json
import sqlite3
import struct
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocmimg.checks.probe import blas, outside, packages
from rocmimg.checks.probe.distributions import Distributions
from rocmimg.checks.probe.entry import Entry, user
from rocmimg.checks.probe.loader import Loader, configured, judge, read_cache
from rocmimg.checks.probe.tree import Exported, Live

ELF = b"\x7fELF\x02\x01\x01" + bytes(57)


@pytest.fixture
def image(tmp_path):
    """Make files of an image, path -> content (bytes, text, or a link as ("->", target)); its tree."""

    tmp_path.chmod(0o755)

    def made(files, modes=()):
        for path, content in files.items():
            place = tmp_path / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, tuple):
                place.symlink_to(content[1])
            else:
                place.write_bytes(content if isinstance(content, bytes) else content.encode())
        for path, mode in dict(modes).items():
            (tmp_path / path.lstrip("/")).chmod(mode)
        return Live(str(tmp_path))

    return made


def exported(root):
    """The same files as the engine exports them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(root, "")
    packed.seek(0)
    tar = tarfile.open(fileobj=packed)  # noqa: SIM115
    return ((member, tar.extractfile(member) if member.isreg() else io.BytesIO()) for member in tar)


def objects(**facts):
    """Facts of ELF files by path."""
    empty = {"needed": [], "soname": "", "rpath": "", "runpath": "", "_versions": {}}
    return {path: {**empty, **said} for path, said in facts.items()}


def ld_cache(entries):
    """An ld.so.cache of (library, path)."""
    head, strings = 48 + 24 * len(entries), b""
    table = b""
    for name, path in entries:
        first, second = head + len(strings), head + len(strings) + len(name) + 1
        strings += f"{name}\0{path}\0".encode()
        table += struct.pack("<iIIIQ", 0x0303, first, second, 0, 0)
    return b"glibc-ld.so.cache1.1" + struct.pack("<II", len(entries), len(strings)) + bytes(20) + table + strings


def test_the_loader_looks_where_ld_so_looks(image):
    found = objects(**{
        "/opt/a/own.so": {"needed": ["libown.so"], "runpath": "$ORIGIN/lib"},
        "/opt/a/cached.so": {"needed": ["libcached.so.1"]},
        "/opt/a/lost.so": {"needed": ["libdw.so.1", "libown.so"]},
        "/opt/a/lib/libown.so": {}, "/opt/c/libcached.so.1.2": {"soname": "libcached.so.1"},
    })  # fmt: skip
    files = dict.fromkeys(found, ELF)
    cache = ld_cache([("libcached.so.1", "/opt/c/libcached.so.1")])
    tree = image({**files, "/opt/c/libcached.so.1": ("->", "libcached.so.1.2"), "/etc/ld.so.cache": cache})
    judge(Loader(tree, found, "", "x86_64"), found, {})
    assert {path: one["unresolved"] for path, one in found.items() if one["unresolved"]} == {
        "/opt/a/lost.so": ["libdw.so.1", "libown.so"]
    }
    assert found["/opt/a/lost.so"]["elsewhere"] == {"libown.so": ["/opt/a/lib/libown.so"]}


def test_ld_library_path_stands_before_runpath_and_behind_rpath(image):
    found = objects(**{
        "/p/runpath": {"needed": ["l.so"], "runpath": "/one"}, "/p/rpath": {"needed": ["l.so"], "rpath": "/one"},
        "/one/l.so": {}, "/two/l.so": {},
    })  # fmt: skip
    loader = Loader(image(dict.fromkeys(found, ELF)), found, "/two", "x86_64")
    assert loader.find("l.so", "/p/runpath") == "/two/l.so"
    assert loader.find("l.so", "/p/rpath") == "/one/l.so"


def test_a_library_that_its_user_brings_along_is_not_missing(image):
    found = objects(**{
        "/app/main": {"needed": ["liba.so", "libb.so"], "runpath": "$ORIGIN/lib"},
        "/app/lib/liba.so": {"needed": ["libb.so"]}, "/app/lib/libb.so": {},
        "/old/main": {"needed": ["libc1.so"], "rpath": "$ORIGIN/lib"},
        "/old/lib/libc1.so": {"needed": ["libc2.so"]}, "/old/lib/libc2.so": {},
    })  # fmt: skip
    loader = Loader(image(dict.fromkeys(found, ELF)), found, "", "x86_64")
    assert loader.closure("/old/main") == []
    assert loader.closure("/app/lib/liba.so") == [{"library": "libb.so", "needed_by": "/app/lib/liba.so"}]
    judge(loader, found, {})
    assert not [path for path, one in found.items() if one["unresolved"]]


def test_versions_are_those_of_the_library_that_is_found(image):
    needs = {"needed": ["libstdc++.so.6"], "_versions": {"libstdc++.so.6": ["GLIBCXX_3.4.32"]}}
    found = objects(**{
        "/site/a/own.so": {**needs, "runpath": "$ORIGIN"}, "/site/b/system.so": needs,
        "/site/a/libstdc++.so.6": {}, "/usr/lib/libstdc++.so.6": {},
    })  # fmt: skip
    defined = {"/site/a/libstdc++.so.6": ["GLIBCXX_3.4.32"], "/usr/lib/libstdc++.so.6": ["GLIBCXX_3.4.30"]}
    judge(Loader(image(dict.fromkeys(found, ELF)), found, "", "x86_64"), found, defined)
    assert found["/site/a/own.so"]["versions_missing"] == []
    assert found["/site/b/system.so"]["versions_missing"] == [
        {"version": "GLIBCXX_3.4.32", "library": "libstdc++.so.6", "path": "/usr/lib/libstdc++.so.6"}
    ]


def test_the_configuration_of_the_loader_is_followed(image):
    tree = image({"/etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n/opt/x # ours\n",
                  "/etc/ld.so.conf.d/rocm.conf": "/opt/rocm/lib\n"})  # fmt: skip
    assert configured(tree) == ["/opt/x", "/opt/rocm/lib"]


@given(st.binary(max_size=300), st.integers(0, 200))
def test_a_damaged_cache_is_read_as_far_as_it_goes(noise, cut):
    read_cache(b"glibc-ld.so.cache1.1" + noise)
    read_cache(ld_cache([("a.so", "/lib/a.so")])[:cut])


def rpm_header(name, folder, files):
    """A header of an rpm database."""
    data, index = b"", []
    for tag, kind, count, value in (
        (1000, 6, 1, name.encode() + b"\0"),
        (1116, 4, len(files), struct.pack(f">{len(files)}I", *[0] * len(files))),
        (1117, 8, len(files), b"".join(one.encode() + b"\0" for one in files)),
        (1118, 8, 1, folder.encode() + b"\0"),
    ):
        index.append(struct.pack(">IIII", tag, kind, len(data), count))
        data += value
    return struct.pack(">II", len(index), len(data)) + b"".join(index) + data


def test_files_of_every_kind_of_package_have_an_owner(image, tmp_path):
    with sqlite3.connect(tmp_path / "rpm") as database:
        database.execute("create table Packages (hnum integer, blob blob)")
        database.execute("insert into Packages values (1, ?)", [rpm_header("rocblas", "/opt/r/", ["a.so", "b.so"])])
    database.close()
    tree = image({
        "/usr/lib/x": "", "/lib": ("->", "usr/lib"),
        "/var/lib/dpkg/info/libc6:amd64.list": "/.\n/lib\n/lib/libc.so.6\n",
        "/var/lib/dpkg/status.d/base.md5sums": "0123  usr/lib/distroless.so\n",
        "/lib/apk/db/installed": "P:musl\nF:usr/lib\nR:musl.so\n\n",
        "/var/lib/rpm/rpmdb.sqlite": (tmp_path / "rpm").read_bytes(),
    })  # fmt: skip
    wanted = {"/usr/lib/libc.so.6", "/usr/lib/distroless.so", "/usr/lib/musl.so", "/opt/r/b.so", "/usr/lib/ours.so"}
    assert packages.owners(tree, wanted) == (
        {"/usr/lib/libc.so.6": "libc6", "/usr/lib/distroless.so": "base", "/usr/lib/musl.so": "musl",
         "/opt/r/b.so": "rocblas"},
        ["dpkg", "apk", "rpm"],
    )  # fmt: skip


def test_one_broken_file_of_metadata_costs_itself_only(image):
    good = "Metadata-Version: 2.1\nName: good\nVersion: 1.0\nRequires-Dist: numpy>=2 ; python_version > '3'\n\ntext"
    odd = "Metadata-Version: 2.1\nName: odd\nVersion: 2.0\n"
    tree = image({
        "/s/good-1.0.dist-info/METADATA": good, "/s/good-1.0.dist-info/RECORD": "good/a.py,sha256=x,1\n_c.abi3.so,,\n",
        "/s/good-1.0.dist-info/entry_points.txt": "[console_scripts]\ngood = good.cli:main [x]\n",
        "/s/odd-2.0.dist-info/METADATA": odd.encode() + b"Author: \xe9\n",
        "/s/odd-2.0.dist-info/direct_url.json": json.dumps(["not", "an", "object"]),
        "/s/none-1.dist-info/RECORD": "", "/s/empty-1.dist-info/METADATA": "", "/s/~rch-1.dist-info/METADATA": "",
        "/s/old-3.egg-info/PKG-INFO": "Name: old\nVersion: 3\n",
        "/s/old-3.egg-info/requires.txt": "a>=1\n\n[gpu:sys_platform == 'linux']\nb\n",
        "/s/edit-1.dist-info/METADATA": "Name: edit\nVersion: 1\n",
        "/s/edit-1.dist-info/direct_url.json": '{"url": "file:///w/a%20b", "dir_info": {"editable": true}}',
    })  # fmt: skip
    found = Distributions(tree, ["/s"])
    by_name = {one["name"]: one for one in found.found}
    assert set(by_name) == {"good", "odd", "old", "edit"}
    assert by_name["good"]["requires"] == ["numpy>=2 ; python_version > '3'"]
    assert by_name["good"]["packages"] == ["_c", "good"]
    assert by_name["good"]["scripts"] == {"good": "good.cli:main"}
    assert by_name["old"]["requires"] == ["a>=1", "b ; extra == \"gpu\" and (sys_platform == 'linux')"]
    assert by_name["edit"]["checkout"] == "/w/a b"
    assert {one["path"].removeprefix("/s/"): one["error"].split(":")[0] for one in found.broken} == {
        "empty-1.dist-info/METADATA": "it is empty",
        "none-1.dist-info": "there is no METADATA",
        "odd-2.0.dist-info/METADATA": "it is not UTF-8",
        "odd-2.0.dist-info/direct_url.json": "it is not what PEP 610 says",
    }


@pytest.mark.parametrize(
    ("folder", "files", "layout"),
    [
        ("rocblas/library", ["TensileLibrary_gfx942.dat", "Kernels.so-000-gfx942.hsaco"], "flat"),
        ("rocblas/library/gfx942", ["TensileLibrary.dat"], "arch"),
        ("rocblas/4.4.1/library", ["TensileLibrary_gfx942.dat"], "versioned"),
    ],
)
def test_kernel_folders_are_found_from_the_library(image, folder, files, layout):
    top = f"/usr/lib/{folder}"
    tree = image({"/usr/lib/librocblas.so.4.4": ELF, **{f"{top}/{name}": "" for name in files}})
    (found,) = blas.libraries(tree, ["/usr/lib/librocblas.so.4.4", "/usr/lib/libother.so"], {})
    (one,) = [one for one in found["folders"] if one["files"]]
    assert (one["layout"], one["archs"], one["files"]) == (layout, ["gfx942"], len(files))
    (moved,) = blas.libraries(tree, ["/usr/lib/librocblas.so.4.4"], {"ROCBLAS_TENSILE_LIBPATH": "/nowhere"})
    assert moved["folders"] == []


def test_a_library_without_kernels_has_no_folder(image):
    (found,) = blas.libraries(image({"/opt/lib/libhipblaslt.so.0": ELF}), ["/opt/lib/libhipblaslt.so.0"], {})
    assert (found["name"], found["folders"]) == ("hipblaslt", [])


SCRIPT = "#!{}\nimport sys\nfrom pkg.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
PROGRAMS = {"/usr/bin/python3": ELF, "/usr/bin/env": ELF, "/bin/sh": ELF, "/bin/bash": ELF, "/sbin/tini": ELF}
STARTS = {
    "a console script": (["serve"], {"/usr/bin/serve": SCRIPT.format("/usr/bin/python3")}, "", "pkg.cli"),
    "by env": (["/app/run"], {"/app/run": SCRIPT.format("/usr/bin/env python3")}, "", "pkg.cli"),
    "a long path": (["serve"], {"/usr/bin/serve": "#!/bin/sh\n'''exec' /usr/bin/python3 \"$0\" \"$@\"\n' '''\n"
                                "from pkg.cli import main\n"}, "", "pkg.cli"),
    "a module": (["python3", "-u", "-m", "pkg.server", "--port", "1"], {}, "", "pkg.server"),
    "a shell form": (["/bin/sh", "-c", "exec python3 -m pkg"], {}, "", "pkg"),
    "a shell form that cannot be told": (["/bin/sh", "-c", "cd $HOME && $SERVER"], {}, "", ""),
    "behind an init": (["tini", "--", "python3", "-m", "pkg"], {}, "", "pkg"),
    "a script that goes on": (["/e.sh", "python3", "-m", "pkg"], {"/e.sh": '#!/bin/bash\nexec "$@"\n'}, "", "pkg"),
    "absent": (["vllm", "serve"], {}, "vllm is not on PATH (/usr/bin:/bin:/sbin)", ""),
    "absent in a shell": (["/bin/sh", "-c", "vllm serve"], {}, "vllm is not on PATH (/usr/bin:/bin:/sbin)", ""),
    "absent behind a script": (["/e.sh", "vllm"], {"/e.sh": '#!/bin/bash\nexec "$@"\n'}, "vllm is not on PATH", ""),
    "what a script becomes": (["/e.sh"], {"/e.sh": '#!/bin/bash\nset -e\nexec python3 -u \\\n  -m pkg "$@"\n\n# end\n'},
                             "", "pkg"),
    "absent at a script's end": (["/e.sh"], {"/e.sh": '#!/bin/sh\nexec run "$@"\n'}, "run is not on PATH", ""),
    "a script that goes on as a user": (["/e.sh", "python3", "-m", "pkg"],
                                        {"/e.sh": '#!/bin/sh\nexec /bin/gosu app "$@"\n'}, "", "pkg"),
    "a program's own arguments": (["/e.sh", "serve", "model"], {"/e.sh": '#!/bin/sh\nexec python3 -m pkg "$@"\n'},
                                  "", "pkg"),
    "lost by another name": (["/e.sh", "x"], {"/e.sh": '#!/bin/sh\nexec serve "$@"\n', "/usr/bin/serve": "#!/gone\n"},
                             "/usr/bin/serve wants /gone", ""),
    "a script with its own PATH": (["/e.sh"], {"/e.sh": "#!/bin/sh\nexport PATH=/v/bin:$PATH\nexec serve\n"}, "", ""),
    "a script that enters a venv": (["/e.sh"], {"/e.sh": "#!/bin/sh\n. /v/bin/activate\nexec serve\n"}, "", ""),
    "a script that installs": (["/e.sh"], {"/e.sh": "#!/bin/sh\npip install serve\nexec serve\n"}, "", ""),
    "a script that ends in a branch": (["/e.sh"], {"/e.sh": "#!/bin/sh\nif x; then\n  exec serve\nfi\n"}, "", ""),
    "a script with a function": (["/e.sh"], {"/e.sh": '#!/bin/sh\nmain() { :; }\nmain "$@"\n'}, "", ""),
    "a script that runs what a variable says": (["/e.sh"], {"/e.sh": "#!/bin/sh\nexec $SERVER --x\n"}, "", ""),
    "a script with only exec": (["/e.sh"], {"/e.sh": "#!/bin/sh\nexec \n"}, "", ""),
    "a script from another folder": (["/e.sh"], {"/e.sh": "#!/bin/sh\ncd /srv\nexec bin/serve\n"}, "", ""),
    "a here document": (["/e.sh"], {"/e.sh": "#!/bin/sh\ncat <<E\nexec nothing\nE\n"}, "", ""),
    "a lost interpreter": (["/a"], {"/a": "#!/gone/python\n"}, "/a wants /gone/python: /gone/python is not in", ""),
    "a dangling venv": (["/v/python"], {"/v/python": ("->", "/gone")}, "/v/python is a link to /gone, which", ""),
    "not executable": (["/data"], {"/data": "#!/bin/sh\n"}, "/data may not be executed by app", ""),
    "of Windows": (["/a"], {"/a": "#!/bin/sh\r\nls\r\n"}, "the first line of /a ends with a carriage return", ""),
    "no program": (["/a"], {"/a": "just text"}, "/a is neither a program nor a script", ""),
    "a lost file": (["python3", "server.py"], {}, "/w/server.py is not in the image", ""),
    "below root's folder": (["/root/py"], {"/root/py": ELF}, "/root/py cannot be reached: /root may not be", ""),
}  # fmt: skip


@pytest.mark.parametrize(("argv", "files", "problem", "module"), STARTS.values(), ids=STARTS)
def test_what_an_entry_point_starts(image, argv, files, problem, module):
    passwd = {"/etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"}
    given_files = {**PROGRAMS, **passwd, **files}
    modes = {path: 0o755 for path, content in given_files.items() if not isinstance(content, tuple)} | {"/data": 0o644}
    tree = image(given_files, {path: mode for path, mode in modes.items() if path in given_files})
    if "/root/py" in files:
        image({}, {"/root": 0o700})
    who = user(tree, "app")._replace(uid=4711, groups=frozenset({4711}))
    entry = Entry(tree, argv, {"PATH": "/usr/bin:/bin:/sbin"}, "/w", who)
    assert entry.problem.startswith(problem)
    assert bool(entry.problem) == bool(problem)
    assert entry.module == module
    assert bool(entry.python) == bool(module or "python3" in argv)


def test_exported_files_read_like_those_around_a_process(image, tmp_path):
    files = {
        "/etc/passwd": "root:x:0:0::/root:/bin/sh\n", "/bin/sh": ELF, "/app/.hidden/run": SCRIPT.format("/bin/sh"),
        "/opt/py/lib/python3.6/site-packages/a-1.dist-info/METADATA": "Name: a\nVersion: 1\n",
        "/app/link": ("->", ".hidden/run"), "/k/add_gfx942.hsaco": b"?" * 30, "/big": bytes(3 << 20),
    }  # fmt: skip
    tree = image(files, {"/bin/sh": 0o755, "/app/.hidden/run": 0o755})
    (tmp_path / "hard").hardlink_to(tmp_path / "big")
    other = Exported(exported(tmp_path), outside.keeps)
    here = {path: node.size for path, node, _ in tree.files()}
    there = {path: node.size for path, node, _ in other.files()}
    assert sum(here.values()) == sum(there.values())
    assert len(here) == len(there) == 6
    assert other.real("/app/link") == tree.real("/app/link") == "/app/.hidden/run"
    assert other.read("/app/link")[:2] == b"#!"
    assert other.names("/app") == tree.names("/app") == [".hidden", "link"]
    assert other.node("/nothing") is tree.node("/nothing") is None
    job = {"argv": ["/app/link"], "workdir": "/", "user": "root", "checkouts": {}, "packages": {}}
    found = outside.answer(exported(tmp_path), job, {"PATH": "/bin"})
    assert found["entry"]["problem"] == ""
    assert [one["name"] for one in found["distributions"]] == ["a"]
    assert [one["path"] for one in found["files"]["unread"]] == ["/k/add_gfx942.hsaco"]
