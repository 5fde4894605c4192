#!/usr/bin/env bash
# Sourced by a step that compiles: from then on compilers are found behind the compiler cache, whoever starts them.
#
# One folder of wrappers, gone with the step, is what all build systems meet: it is first on PATH (setuptools, make,
# Meson, CMake), HIP_CLANG_PATH (hipcc, and with it torch's cpp_extension and AITER, which write their own ninja files)
# and the launcher of CMake, for compilers that it knows by their whole path. Cargo has RUSTC_WRAPPER, which of the two
# only sccache can be.
#
# sccache may have a store on the network. What names it, and its credentials, come in a file that the step mounts; the
# shell does not trace while it is read. A store that does not answer costs time only.
#
# usage: . compilers.sh ccache|sccache SIZE [PREFIX of keys in a store]
{ set +x; } 2> /dev/null

rocmimg_tool=$1 rocmimg_size=$2 rocmimg_prefix=${3:-}
rocmimg_run=${ROCMIMG_RUN:-/run/rocmimg}
rocmimg_folder=$rocmimg_run/compilers

rocmimg_wrap() { # bin|llvm COMPILER: a wrapper of its name
    local wrapper=$rocmimg_folder/$1/${2##*/}
    rm -f "$wrapper"
    ln -s "$2" "$rocmimg_folder/real/$1/${2##*/}"
    printf '#!/bin/sh\nexec %s/launch %s "$@"\n' "$rocmimg_folder" "$2" > "$wrapper"
    chmod 755 "$wrapper"
}

rocmimg_launcher() { # What the cache itself starts goes on without it; so does hipcc, whose clang is wrapped.
    cat << LAUNCH
#!/bin/sh
case \$1 in
    $rocmimg_folder/*)
        real=\$(readlink "$rocmimg_folder/real/\${1#$rocmimg_folder/}") && shift && set -- "\$real" "\$@" ;;
esac
case "\$ROCMIMG_COMPILES \${1##*/}" in
    1\ * | *\ hipcc*) exec "\$@" ;;
esac
ROCMIMG_COMPILES=1 exec $1 "\$@"
LAUNCH
}

rocmimg_shim() { # The cache's own name, for projects that look for it.
    cat << SHIM
#!/bin/sh
case "\$1" in
    -* | "") exec $1 "\$@" ;;
esac
exec $rocmimg_folder/launch "\$@"
SHIM
}

rocmimg_fingerprint() { # What decides over a compiler's output: itself, its libraries, the device libraries of HIP.
    local path
    {
        find "$rocmimg_folder/real" -type l -exec readlink -f {} +
        for path in "$1"/../lib/lib{LLVM,clang-cpp}*.so* /usr/lib/llvm-*/lib/lib{LLVM,clang-cpp}*.so* \
            "$1"/../{,lib/clang/*/}{,lib/}amdgcn/bitcode/*.bc "${ROCM_PATH:-/opt/rocm}"/amdgcn/bitcode/*.bc \
            /usr/lib/*/amdgcn/bitcode/*.bc /usr/lib/llvm-*/lib/clang/*/{,lib/}amdgcn/bitcode/*.bc; do
            [ ! -e "$path" ] || echo "$path"
        done
    } | sort -u | xargs -r -d '\n' stat -L -c '%n %s %.Y' | sha256sum | cut -c -32
}

rocmimg_prepare() {
    local binary clang path folder
    binary=$(command -v "$rocmimg_tool") || return 0
    mkdir -p "$rocmimg_folder"/{bin,llvm,real/bin,real/llvm}
    rocmimg_launcher "$binary" > "$rocmimg_folder/launch"
    rocmimg_shim "$binary" > "$rocmimg_folder/bin/$rocmimg_tool"
    chmod 755 "$rocmimg_folder/launch" "$rocmimg_folder/bin/$rocmimg_tool"
    clang=${HIP_CLANG_PATH:-}
    [ -n "$clang" ] || clang=$(hipconfig --hipclangpath 2> /dev/null) || clang=
    [ -x "$clang/clang++" ] || clang=${ROCM_PATH:-/opt/rocm}/llvm/bin
    if [ -x "$clang/clang++" ]; then
        ln -s "$clang"/* "$rocmimg_folder/llvm/"
        for path in "$clang"/{clang,clang++,amdclang,amdclang++}; do
            [ ! -x "$path" ] || rocmimg_wrap llvm "$path"
        done
        export HIP_CLANG_PATH=$rocmimg_folder/llvm
    fi
    while IFS= read -r -d : folder; do
        for path in "$folder"/{cc,c++,gcc,g++,clang,clang++,amdclang,amdclang++} \
            "$folder"/{gcc,g++,clang,clang++}-[0-9]* "$folder"/*-linux-gnu-{gcc,g++}{,-[0-9]*}; do
            [ ! -x "$path" ] || [ -e "$rocmimg_folder/bin/${path##*/}" ] || rocmimg_wrap bin "$path"
        done
    done <<< "$PATH:"
    export PATH=$rocmimg_folder/bin:$PATH
    export CMAKE_C_COMPILER_LAUNCHER=$rocmimg_folder/launch CMAKE_CXX_COMPILER_LAUNCHER=$rocmimg_folder/launch \
        CMAKE_HIP_COMPILER_LAUNCHER=$rocmimg_folder/launch
    case $rocmimg_tool in
        ccache)
            CCACHE_COMPILERCHECK=string:$(rocmimg_fingerprint "$clang")
            export CCACHE_COMPILERCHECK CCACHE_DIR=$rocmimg_run/ccache CCACHE_MAXSIZE=$rocmimg_size \
                CCACHE_STATSLOG=$rocmimg_folder/log
            ;;
        sccache)
            rocmimg_store "$binary" "$clang"
            export RUSTC_WRAPPER=$binary
            ;;
    esac
}

rocmimg_local() { # what sccache is told in any case
    export SCCACHE_DIR=$rocmimg_run/sccache SCCACHE_CACHE_SIZE=$rocmimg_size SCCACHE_IDLE_TIMEOUT=0 \
        SCCACHE_SERVER_UDS=$rocmimg_folder/socket SCCACHE_C_CUSTOM_CACHE_BUSTER=$1
}

rocmimg_store() { # SCCACHE CLANG
    local kind name print
    print=$(rocmimg_fingerprint "$2")
    rocmimg_local "$print"
    [ -s "$rocmimg_run/store" ] || return 0
    # shellcheck source=/dev/null
    . "$rocmimg_run/store"
    for kind in S3 GCS REDIS WEBDAV MEMCACHED AZURE; do
        name=SCCACHE_${kind}_KEY_PREFIX
        export "$name=${!name:+${!name}/}$rocmimg_prefix"
    done
    if ! "$1" --start-server > "$rocmimg_folder/start" 2>&1; then
        echo "rocmimg-cache: the store of sccache does not answer; this step uses the engine's own folder"
        # shellcheck disable=SC2046  # names of variables
        unset $(compgen -e SCCACHE_) $(compgen -e AWS_)
        rocmimg_local "$print"
    fi
}

rocmimg_counted() { # the number of lines of a sort
    grep -c "$@" "$rocmimg_folder/log"
}

rocmimg_report() { # for the log: what came from the cache, what did not, and what cannot
    { set +ex; } 2> /dev/null
    local hits=0 misses=0 other=0 stats
    if ! [ -x "$rocmimg_folder/launch" ]; then
        echo "rocmimg-cache: no $rocmimg_tool here"
        return
    fi
    case $rocmimg_tool in
        ccache)
            if [ -f "$rocmimg_folder/log" ]; then
                hits=$(rocmimg_counted -x -e direct_cache_hit -e preprocessed_cache_hit)
                misses=$(rocmimg_counted -x -e cache_miss)
                other=$(rocmimg_counted -v -e '^#' -e '_hit$' -e '_miss$' -e '_storage_' -e '^files_in' -e cleanup)
            fi
            ;;
        sccache)
            stats=$("$rocmimg_folder/bin/sccache" --stop-server 2> /dev/null)
            hits=$(sed -n 's/^Cache hits  *\([0-9][0-9]*\)$/\1/p' <<< "$stats")
            misses=$(sed -n 's/^Cache misses  *\([0-9][0-9]*\)$/\1/p' <<< "$stats")
            other=$(sed -n 's/^Non-cacheable calls  *\([0-9][0-9]*\)$/\1/p' <<< "$stats")
            ;;
    esac
    echo "rocmimg-cache: $rocmimg_tool ${hits:-0} hits, ${misses:-0} misses, ${other:-0} not cacheable"
}

rocmimg_prepare
rocmimg_before=$(trap -p EXIT)
rocmimg_before=${rocmimg_before#trap -- }
eval "rocmimg_before=${rocmimg_before% EXIT}"
trap 'rocmimg_report; eval "$rocmimg_before"' EXIT
set -x
