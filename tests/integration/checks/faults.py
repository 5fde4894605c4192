"""Seeded faults: each is a small image on top of the lab's, with one thing wrong that one check must find.

``script`` runs in the image under `sh -eux` with $SITE (the folder of Python packages), $LIB (the lab kernels'
folder of libraries) and the functions ``dist NAME VERSION [FILE]``, ``requires NAME-VERSION REQUIREMENT``,
``package NAME < __init__``, ``library PATH [CLANG OPTION]... < source``,
``program PATH [CLANG OPTION]... < source``, ``script MODULE``, ``blas NAME``.
"""

from dataclasses import dataclass

HELPERS = """
SITE=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
LIB=/sgl-workspace/labkernels/labkernels/lib
CLANG=$(ls /usr/bin/clang-[0-9]* | head -n 1)
dist() {
    mkdir -p "$SITE/$1-$2.dist-info"
    printf 'Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n' "$1" "$2" > "$SITE/$1-$2.dist-info/METADATA"
    for file in ${3:-}; do
        sum=$(python3 -c 'import base64, hashlib, sys
print(base64.urlsafe_b64encode(hashlib.sha256(open(sys.argv[1], "rb").read()).digest()).decode().rstrip("="))' \\
            "$SITE/$file")
        echo "$file,sha256=$sum,$(stat -c %s "$SITE/$file")" >> "$SITE/$1-$2.dist-info/RECORD"
    done
}
library() {
    target=$1; shift
    mkdir -p "$(dirname "$target")"
    "$CLANG" -x c - -x none -shared -fPIC -nostdlib -Wl,--build-id -o "$target" "$@"
}
program() {
    target=$1; shift
    mkdir -p "$(dirname "$target")"
    "$CLANG" -x c - -x none -o "$target" "$@"
}
requires() {
    printf 'Requires-Dist: %s\n' "$2" >> "$SITE/$1.dist-info/METADATA"
}
package() {
    mkdir -p "$SITE/$1"
    cat > "$SITE/$1/__init__.py"
}
script() {
    printf '#!/usr/bin/python3\nimport sys\nfrom %s import main\nsys.exit(main())\n' "$1" > "/usr/local/bin/$1"
    chmod +x "/usr/local/bin/$1"
}
blas() {
    mkdir -p /opt/rocm/lib
    echo "int $1;" | library "/opt/rocm/lib/lib$1.so.1" -Wl,-soname,"lib$1.so.1"
}
"""


@dataclass(frozen=True)
class Fault:
    name: str
    check: str
    says: str
    """A part of the message."""
    classes: tuple[str, ...] = ()
    script: str = ""
    instructions: str = ""
    """Of the Dockerfile, after the script has run."""
    sets: tuple[str, ...] = ()
    """What images.yaml says for this image: ``--set``."""
    twin: str | None = None
    """The same made right, where that is not the plain lab: nothing may fail on it."""


FAULTS = (
    Fault(
        "a CUDA torch from the package index", "torch-build", "a build for CUDA", ("F01",),
        script="""
        mkdir $SITE/torch
        printf '__version__ = "2.12.0+cu130"\nclass version: hip = None; cuda = "13.0"\n' > $SITE/torch/__init__.py
        dist torch 2.12.0+cu130 torch/__init__.py
        """,
    ),
    Fault(
        "a torch without HIP", "torch-build", "has no HIP", ("F01",),
        script="""
        mkdir $SITE/torch
        printf '__version__ = "2.12.0"\nclass version: hip = None; cuda = None\n' > $SITE/torch/__init__.py
        dist torch 2.12.0 torch/__init__.py
        """,
    ),
    Fault(
        "a distribution of CUDA's libraries", "cuda-distributions", "nvidia-cublas", ("F02",),
        script="dist nvidia-cublas 13.1.0",
    ),
    Fault(
        "an extension that needs CUDA's runtime", "cuda-libraries", "libcudart.so.12", ("F02",),
        script="""
        echo 'int cuda;' | library /tmp/libcudart.so.12 -Wl,-soname,libcudart.so.12
        echo 'extern int cuda; int *use = &cuda;' | library $SITE/something/libkernels.so /tmp/libcudart.so.12
        rm /tmp/libcudart.so.12
        """,
    ),
    Fault(
        "two Triton distributions", "triton-owners", "are all installed in the folder triton", ("F03",),
        script="""
        mkdir $SITE/triton; echo > $SITE/triton/__init__.py
        dist triton 3.7.0 triton/__init__.py
        dist pytorch-triton-rocm 3.5.1 triton/__init__.py
        """,
    ),
    Fault(
        "a file laid over Triton's", "triton-owners", "another size", ("F03",),
        script="""
        mkdir $SITE/triton; echo > $SITE/triton/__init__.py
        dist triton 3.7.0 triton/__init__.py
        echo 'changed = True' > $SITE/triton/__init__.py
        """,
    ),
    Fault(
        "a requirement without its key", "metadata", "2 of 3 requirements are lost", ("F04",),
        script="""
        dist torch-like 1.0
        printf 'Requires-Dist: filelock\ntriton==3.7.0\nRequires-Dist: jinja2\nRequires-Dist: networkx\n' \
            >> $SITE/torch-like-1.0.dist-info/METADATA
        dist filelock 3.0
        """,
    ),
    Fault(
        "an extension with a symbol that nobody has", "unbound-symbols", "symbol: _ZN3c105ErrorC2Ev", ("F06", "F44"),
        script="echo 'extern void _ZN3c105ErrorC2Ev(); void f() { _ZN3c105ErrorC2Ev(); }' | library $LIB/libbroken.so",
    ),
    Fault(
        "extensions of two pybind11 releases", "pybind11", "v11_system_libstdcpp", ("F07",),
        script="""
        for v in 5 11; do
            echo "const char id[] = \\"__pybind11_internals_v${v}_system_libstdcpp_gxx_abi_1xxx__\\";
                  const char *const get(void) { return id; }" | library $LIB/libbound$v.so
        done
        """,
    ),
    Fault(
        "a binary of a newer distribution", "symbol-versions", "needs GLIBC_2.99", ("F08",),
        script="""
        for version in 2.99 2.1; do
            echo "GLIBC_$version { global: *; };" > /tmp/versions
            echo 'int future;' | library /usr/local/lib/libfuture.so.1 -Wl,-soname,libfuture.so.1 \
                -Wl,--version-script=/tmp/versions
            [ -e /usr/local/lib/libnewer.so ] || echo 'extern int future; int *use = &future;' | \
                library /usr/local/lib/libnewer.so /usr/local/lib/libfuture.so.1
        done
        ldconfig
        """,
    ),
    Fault(
        "`pip install -e` with setuptools' default", "origin", "editable_mode=compat", ("F09",),
        script="""
        cd /sgl-workspace/labkernels
        pip uninstall -y labkernels
        pip install --no-build-isolation --use-pep517 --editable .
        """,
    ),
    Fault(
        "an install that skipped the kernels", "prebuilt", "no shared object with GPU code", ("F10",),
        script="rm $LIB/*.so",
    ),
    Fault(
        "the version of another project", "version-stamp", "its checkout is v9.9", ("F11",),
        script="""
        cd /sgl-workspace/labkernels
        git init -q; git -c user.name=t -c user.email=t@example.org commit -q --allow-empty -m t; git tag v9.9
        """,
    ),
    Fault(
        "a variable in bash.bashrc", "shell-variables", "HIP_FORCE_DEV_KERNARG", ("F12",),
        script="echo 'export HIP_FORCE_DEV_KERNARG=1' >> /etc/bash.bashrc",
    ),
    Fault(
        "a variable in /etc/environment", "shell-variables", "LC_ALL", ("F12",),
        script="echo 'LC_ALL=en_US.UTF-8' >> /etc/environment",
    ),
    Fault(
        "a variable in profile.d", "shell-variables", "ROCM_HOME", ("F12",),
        script="echo 'export ROCM_HOME=/opt/rocm' > /etc/profile.d/rocm.sh",
    ),
    Fault(
        "a build-time ENV", "build-variables", "SETUPTOOLS_SCM_PRETEND_VERSION", ("F13",),
        instructions="ENV SETUPTOOLS_SCM_PRETEND_VERSION=0.5.10",
    ),
    Fault(
        "an arch list of other GPUs", "arch-variables", "names gfx90a", ("F13",),
        instructions="ENV PYTORCH_ROCM_ARCH=gfx90a;gfx942",
    ),
    Fault(
        "an empty HSA_OVERRIDE_GFX_VERSION", "gfx-override", "HSA_OVERRIDE_GFX_VERSION=''", ("F14",),
        instructions="ENV HSA_OVERRIDE_GFX_VERSION=",
    ),
    Fault(
        "a user without the groups", "device-groups", "is not in video and render", ("F15",),
        script="useradd --create-home app", instructions="USER app", sets=("user=app",),
    ),
    Fault(
        "no amdgpu.ids", "amdgpu-ids", "which is not there", ("F20",),
        script="rm /usr/share/libdrm/amdgpu.ids",
    ),
    Fault(
        "an old amdgpu.ids", "amdgpu-ids", "has no 74A1 (MI300X, gfx942)", ("F20",),
        script="sed -i '/^74A1/d' /usr/share/libdrm/amdgpu.ids",
    ),
    Fault(
        "torch with a libamd_smi of its own", "duplicate-libraries", "loads libamd_smi.so 2 times", ("F21", "F47"),
        script="""
        mkdir $SITE/torch $SITE/amdsmi
        for place in torch amdsmi; do
            echo "const char *owner = \\"$place\\";" | library $SITE/$place/libamd_smi.so.26
            echo "import ctypes; ctypes.CDLL('$SITE/$place/libamd_smi.so.26')" > $SITE/$place/__init__.py
        done
        printf 'class version: hip = "7.2"; cuda = None\n' >> $SITE/torch/__init__.py
        dist torch 2.9.1+rocm7.2 torch/__init__.py
        """,
    ),
    Fault(
        "torch with a HIP runtime of its own", "vendored-hip", "torch/lib/libamdhip64.so", ("F22",),
        script="""
        soname=$(basename $(ls /usr/lib/*/libamdhip64.so.[0-9] | head -n 1))
        echo 'const char *release = "other";' | library $SITE/torch/lib/libamdhip64.so -Wl,-soname,$soname
        printf 'class version: hip = "7.2"; cuda = None\n' > $SITE/torch/__init__.py
        dist torch 2.9.1+rocm7.2 torch/__init__.py
        """,
        twin="""
        echo 'const char *release = "other";' | library $SITE/torch/lib/libamdhip64.so -Wl,-soname,libamdhip64.so.99
        printf 'class version: hip = "7.2"; cuda = None\n' > $SITE/torch/__init__.py
        dist torch 2.9.1+rocm7.2 torch/__init__.py
        """,
    ),
    Fault(
        "a library that stayed in the build stage", "missing-libraries", "libroctx64.so.4", ("F23", "F44"),
        script="""
        echo 'int roctx;' | library /tmp/libroctx64.so.4 -Wl,-soname,libroctx64.so.4
        echo 'extern int roctx; int *use = &roctx;' | library $LIB/libtraced.so /tmp/libroctx64.so.4
        rm /tmp/libroctx64.so.4
        """,
    ),
    Fault(
        "a plugin of a package that nobody declared", "missing-libraries", "libdwish.so.1", ("F23", "F44"),
        script="""
        echo 'int dw;' | library /usr/local/lib/libdwish.so.1 -Wl,-soname,libdwish.so.1
        echo 'extern int dw; int *use = &dw;' | library $SITE/plugin_rocm7/xla.so /usr/local/lib/libdwish.so.1
        rm /usr/local/lib/libdwish.so.1; ldconfig
        dist plugin-rocm7 0.8 plugin_rocm7/xla.so
        """,
        twin="""
        echo 'int dw;' | library /usr/local/lib/libdwish.so.1 -Wl,-soname,libdwish.so.1
        echo 'extern int dw; int *use = &dw;' | library $SITE/plugin_rocm7/xla.so /usr/local/lib/libdwish.so.1
        ldconfig
        dist plugin-rocm7 0.8 plugin_rocm7/xla.so
        """,
    ),
    Fault(
        "a library that only another package has", "missing-libraries", "libzffi.so: cannot open", ("F23", "F44"),
        script="""
        echo 'int ffi;' | library $SITE/zffi/libzffi.so -Wl,-soname,libzffi.so
        echo 'extern int ffi; int *use = &ffi;' | library $SITE/tiles/libtiles.so $SITE/zffi/libzffi.so
        echo 'x = 1' | package tiles
        dist tiles 1.0 tiles/libtiles.so
        """,
        twin="""
        echo 'int ffi;' | library $SITE/zffi/libzffi.so -Wl,-soname,libzffi.so
        echo 'extern int ffi; int *use = &ffi;' | library $SITE/tiles/libtiles.so $SITE/zffi/libzffi.so
        echo "import ctypes; ctypes.CDLL('$SITE/zffi/libzffi.so')" | package tiles
        dist tiles 1.0 tiles/libtiles.so
        """,
    ),
    Fault(
        "a tool that lost its run path", "needed-libraries", "libtool.so.0 (it is in /app/libtool.so.0)", ("F23",),
        script="""
        echo 'int answer(void) { return 42; }' | library /app/libtool.so.0 -Wl,-soname,libtool.so.0
        echo 'int answer(void); int main(void) { return answer(); }' | program /app/tool /app/libtool.so.0
        """,
        twin="""
        echo 'int answer(void) { return 42; }' | library /app/libtool.so.0 -Wl,-soname,libtool.so.0
        echo 'int answer(void); int main(void) { return answer(); }' | \
            program /app/tool /app/libtool.so.0 -Wl,-rpath,'$ORIGIN'
        """,
    ),
    Fault(
        "an entry point that lost its run path", "starts", "libserve.so.0, which lies in /app", ("F42",),
        script="""
        echo 'int answer(void) { return 42; }' | library /app/libserve.so.0 -Wl,-soname,libserve.so.0
        echo 'int answer(void); int main(void) { return answer(); }' | program /app/serve /app/libserve.so.0
        """,
        instructions='ENTRYPOINT ["/app/serve"]', sets=("entrypoint=[/app/serve]", "command=[]"),
        twin="""
        echo 'int answer(void) { return 42; }' | library /app/libserve.so.0 -Wl,-soname,libserve.so.0
        echo 'int answer(void); int main(void) { return answer(); }' | program /app/serve /app/libserve.so.0
        echo /app > /etc/ld.so.conf.d/app.conf; ldconfig
        """,
    ),
    Fault(
        "an entry point in a venv that nobody put on PATH", "starts", "serve-it is not on PATH", ("F42",),
        script="mkdir -p /opt/venv/bin; printf '#!/bin/sh\n' > /opt/venv/bin/serve-it; chmod +x /opt/venv/bin/*",
        instructions='ENTRYPOINT ["serve-it"]', sets=("entrypoint=[serve-it]", "command=[]"),
    ),
    Fault(
        "an entry point whose interpreter stayed behind", "starts", "/root/venv/bin/python", ("F42",),
        script="printf '#!/root/venv/bin/python\n' > /usr/local/bin/serve-it; chmod +x /usr/local/bin/serve-it",
        instructions='ENTRYPOINT ["serve-it"]', sets=("entrypoint=[serve-it]", "command=[]"),
    ),
    Fault(
        "a console script whose module does not import", "entry-module", "No module named 'flashinferish'", ("F42",),
        script="""
        echo 'import flashinferish' | package serverish
        script serverish
        """,
        instructions='ENTRYPOINT ["serverish"]', sets=("entrypoint=[serverish]", "command=[]"),
        twin="""
        echo 'def main(): return 0' | package serverish
        script serverish
        """,
    ),
    Fault(
        "a requirement that is not installed", "requirements", "jaxish==0.6.0, which is not installed", ("F43",),
        script="dist jaxish-rocm7-plugin 0.6.0; requires jaxish-rocm7-plugin-0.6.0 'jaxish==0.6.0'",
        twin="""
        dist jaxish-rocm7-plugin 0.6.0; dist jaxish 0.6.0
        requires jaxish-rocm7-plugin-0.6.0 'jaxish==0.6.0'
        requires jaxish-rocm7-plugin-0.6.0 'nothing-such ; python_version < "3"'
        requires jaxish-rocm7-plugin-0.6.0 'jaxish-extras ; extra == "all"'
        """,
    ),
    Fault(
        "a requirement at the wrong version", "requirements", "requires modelkit>=5.2, and modelkit 4.57.0", ("F43",),
        script="dist servekit 0.9; dist modelkit 4.57.0; requires servekit-0.9 'modelkit>=5.2'",
        twin="dist servekit 0.9; dist modelkit 5.2.0rc1+rocm7.2; requires servekit-0.9 'ModelKit >= 5.2.0rc1'",
    ),
    Fault(
        "a wheel with libraries for other releases of ROCm only", "backends", "for ROCm 6.4, 7.2", ("F45",),
        script="""
        for v in rocm64 rocm72 cuda130; do echo 'int b;' | library $SITE/bits/libbits_$v.so; done
        dist bits 1.0 bits/libbits_rocm72.so
        mkdir -p /opt/rocm/.info; echo 7.12.0-99 > /opt/rocm/.info/version
        """,
        twin="""
        for v in rocm64 rocm712 cuda130; do echo 'int b;' | library $SITE/bits/libbits_$v.so; done
        echo 'int cu;' | library /tmp/libcudart.so.13 -Wl,-soname,libcudart.so.13
        echo 'extern int cu; int *use = &cu;' | library $SITE/bits/libbits_cuda130.so /tmp/libcudart.so.13
        rm /tmp/libcudart.so.13
        dist bits 1.0 bits/libbits_rocm712.so
        mkdir -p /opt/rocm/.info; echo 7.12.0-99 > /opt/rocm/.info/version
        """,
    ),
    Fault(
        "a component that opens a second HIP runtime after torch", "duplicate-libraries", "torch and then labkernels",
        ("F21", "F47"),
        script="""
        echo 'int owner;' | library $SITE/torch/lib/libamdhip64.so.7 -Wl,-soname,libamdhip64.so.7
        mkdir $SITE/other; cp $SITE/torch/lib/libamdhip64.so.7 $SITE/other/
        echo "import ctypes; ctypes.CDLL('$SITE/torch/lib/libamdhip64.so.7')" > $SITE/torch/__init__.py
        printf 'class version: hip = "7.2"; cuda = None\n' >> $SITE/torch/__init__.py
        dist torch 2.9.1+rocm7.2 torch/__init__.py
        echo "import ctypes; ctypes.CDLL('$SITE/other/libamdhip64.so.7')" >> $LIB/../__init__.py
        """,
        twin="""
        echo 'int owner;' | library $SITE/torch/lib/libamdhip64.so.7 -Wl,-soname,libamdhip64.so.7
        echo "import ctypes; ctypes.CDLL('$SITE/torch/lib/libamdhip64.so.7')" > $SITE/torch/__init__.py
        printf 'class version: hip = "7.2"; cuda = None\n' >> $SITE/torch/__init__.py
        dist torch 2.9.1+rocm7.2 torch/__init__.py
        mkdir $SITE/other; ln -s ../torch/lib/libamdhip64.so.7 $SITE/other/libamdhip64.so.7
        echo "import ctypes; ctypes.CDLL('$SITE/other/libamdhip64.so.7')" >> $LIB/../__init__.py
        """,
    ),
    Fault(
        "a library that is cut off", "readable", "/opt/cut/libcut.so", (),
        script="mkdir /opt/cut; head -c 3000 $LIB/librmsnorm.so > /opt/cut/libcut.so",
    ),
    Fault(
        "metadata that is not UTF-8", "readable", "METADATA: it is not UTF-8", (),
        script="dist latin 1.0; printf 'Author: Andr\\351\n' >> $SITE/latin-1.0.dist-info/METADATA",
    ),
    Fault(
        "a start-up file that prints", "python-start", "noisy.pth", (),
        script="echo 'import sys; print(1)' > $SITE/noisy.pth",
    ),
    Fault(
        "a network card's driver of another release", "rdma-abi", "is for ABI 25; libibverbs has 34", ("F25",),
        script="""
        echo 'IBVERBS_PRIVATE_34 { global: *; };' > /tmp/versions
        echo 'int v;' | library /usr/local/lib/libibverbs.so.1 -Wl,--version-script=/tmp/versions
        echo 'int p;' | library /usr/local/lib/libibverbs/libionic-rdmav25.so
        """,
    ),
    Fault(
        "kernels compiled without an arch", "arch-code", "has no code for gfx942; it has gfx906", ("F26",),
        script="hipcc -fPIC -shared -o $LIB/librmsnorm.so $LIB/../csrc/rmsnorm.hip",
    ),
    Fault(
        "compressed kernels for one arch too many", "arch-code", "has code for gfx90a too", ("F26",),
        script="""
        hipcc -fPIC -shared --offload-arch=gfx942 --offload-arch=gfx90a --offload-compress -o $LIB/librmsnorm.so \
            $LIB/../csrc/rmsnorm.hip
        """,
    ),
    Fault(
        "a rocBLAS for other GPUs", "tensile", "in /opt/rocm/lib/rocblas/library; it has gfx90a", ("F27", "F46"),
        script="""
        blas rocblas
        mkdir -p /opt/rocm/lib/rocblas/library
        touch /opt/rocm/lib/rocblas/library/TensileLibrary_lazy_gfx90a.dat
        """,
        twin="""
        blas rocblas; blas hipblaslt
        mkdir -p /opt/rocm/lib/rocblas/library/gfx942 /opt/rocm/lib/hipblaslt/4.4.1/library
        touch /opt/rocm/lib/rocblas/library/gfx942/TensileLibrary_gfx942.co
        touch /opt/rocm/lib/hipblaslt/4.4.1/library/TensileLibrary_lazy_gfx942.dat
        """,
    ),
    Fault(
        "a hipBLASLt without its kernels", "tensile", "libhipblaslt.so.1 has no kernel data", ("F27", "F46"),
        script="""
        blas rocblas; blas hipblaslt
        mkdir -p /opt/rocm/lib/rocblas/library
        touch /opt/rocm/lib/rocblas/library/TensileLibrary_lazy_gfx942.dat
        """,
    ),
    Fault(
        "a wheel for nobody's GPU", "arch-code", "somebody has no code for gfx942; it has gfx1100", ("F26",),
        script="""
        mkdir $SITE/somebody
        hipcc -fPIC -shared --offload-arch=gfx1100 -o $SITE/somebody/_C.so $LIB/../csrc/rmsnorm.hip
        dist somebody 1.0 somebody/_C.so
        """,
        twin="""
        mkdir $SITE/somebody
        hipcc -fPIC -shared --offload-arch=gfx942 --offload-arch=gfx1100 -o $SITE/somebody/_C.so \
            $LIB/../csrc/rmsnorm.hip
        dist somebody 1.0 somebody/_C.so
        """,
    ),
    Fault(
        "a lock of a compiler that was interrupted", "jit-locks", "lock_module_rmsnorm", ("F31",),
        script="mkdir $LIB/../jit; touch $LIB/../jit/lock_module_rmsnorm",
    ),
    Fault(
        "a cache that the user may not write to", "jit-folders", "/root/triton", ("F31",),
        script="groupadd -f render; useradd --create-home --groups video,render app",
        instructions="ENV TRITON_CACHE_DIR=/root/triton\nUSER app", sets=("user=app",),
    ),
    Fault(
        "a checkout that is not at its pin", "pins", "the pin is 6520ace8227f", ("F33",),
        script="""
        cd /sgl-workspace/labkernels
        git init -q; git -c user.name=t -c user.email=t@example.org commit -q --allow-empty -m t
        """,
        sets=(
            "components.labkernels.source=git",
            "components.labkernels.repo=https://example.org/labkernels.git",
            "components.labkernels.ref=6520ace8227ffe2728148d5f3b9872a870b0a560",
        ),
    ),
    Fault(
        "more than the budget", "size", "100 are allowed", ("F40",), sets=("checks.max_image_mib=100",),
    ),
    Fault(
        "a layer of more than the budget", "size", "a layer has", ("F40",), sets=("checks.max_layer_mib=100",),
    ),
    Fault(
        "something big that a later layer replaces", "layer-bytes", "MiB (bigwheel 28; ", ("F40", "F49"),
        instructions="""\
RUN cd $(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \\
    mkdir bigwheel bigwheel-1.dist-info && \\
    head -c 30000000 /dev/urandom > bigwheel/data && echo bigwheel/data,, > bigwheel-1.dist-info/RECORD && \\
    printf 'Metadata-Version: 2.1\\nName: bigwheel\\nVersion: 1\\n' > bigwheel-1.dist-info/METADATA
RUN rm $(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/bigwheel/data
""",
        sets=("checks.max_hidden_mib=20",),
    ),
    Fault(
        "a cache in a home that nobody may write to", "restricted", "/root/.triton cannot be written to", ("F53",),
        script="echo 'x = 1' | package triton",
        instructions="ENV HOME=/root USER=app XDG_CACHE_HOME=/tmp/cache", sets=("checks.conditions=[restricted]",),
    ),
    Fault(
        "a package of the target that writes beside itself", "restricted", "import writer fails restricted", ("F53",),
        script="""
        echo "open(__file__ + '.lock', 'w').close()" | package writer
        dist writer 1 writer/__init__.py
        echo "import absent" | package never
        dist never 1 never/__init__.py
        """,
        twin="echo 'x = 1' | package writer; dist writer 1 writer/__init__.py",
        instructions="ENV HOME=/tmp USER=app",
        sets=("checks.conditions=[restricted]", "pip.writer=1", "pip.never=1"),
    ),
    Fault(
        "a pip cache", "leftovers", "pip cache: 2 MiB in /root/.cache/pip", ("F40",),
        script="mkdir -p /root/.cache/pip; head -c 3000000 /dev/urandom > /root/.cache/pip/wheel",
    ),
    Fault("a variable that is not there", "environment", "HSA_NO_SCRATCH_RECLAIM is not set",
          sets=("env.HSA_NO_SCRATCH_RECLAIM=1",)),
    Fault("another command", "entry", "the command is", instructions='CMD ["/bin/true"]'),
    Fault("a label of another cell", "labels", "io.rocmimg.cell", instructions="LABEL io.rocmimg.cell=other"),
    Fault("a dependency that nobody installed", "import", "No module named 'einops'",
          script="echo 'import einops' >> $LIB/../__init__.py"),
    Fault("a Triton that does not fit torch", "triton-interpreter", "the kernel does not run",
        script="""
        mkdir $SITE/torch $SITE/triton
        printf 'class version: hip = "7.2"; cuda = None\n' > $SITE/torch/__init__.py
        echo > $SITE/triton/__init__.py
        dist torch 2.9.1+rocm7.2 torch/__init__.py
        dist triton 3.0.0 triton/__init__.py
        """),
    Fault("no interpreter", "interpreter", "python3", script="rm /usr/bin/python3"),
    Fault("a name that the release does not have", "capabilities", "labkernels.attention",
          sets=("components.labkernels.capabilities=[labkernels.attention]",)),
)  # fmt: skip
