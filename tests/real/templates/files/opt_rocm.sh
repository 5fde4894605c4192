#!/usr/bin/env bash
# Debian's ROCm where AMD's packages lie. Compilers say what they compile, so that a log tells how far a build came.
set -euo pipefail

rocm=/opt/rocm
llvm=$(find /usr/lib -maxdepth 1 -name 'llvm-*' | sort -V | tail -n 1)
mkdir -p $rocm/bin $rocm/.info $rocm/share
echo 7.2.0 > $rocm/.info/version
ln -s /usr/include $rocm/include
ln -s /usr/lib/x86_64-linux-gnu $rocm/lib
ln -s /usr/lib /opt/lib # Debian's CMake files look for their prefix four folders up
ln -s "$llvm" $rocm/llvm
ln -s "$llvm" /usr/lib/x86_64-linux-gnu/${llvm##*/} # where hipcc looks below ROCM_PATH
bitcode=$(find "$llvm/lib" -name ockl.bc)
ln -s "${bitcode%/bitcode/*}" $rocm/amdgcn
for name in rocminfo rocm_agent_enumerator amd-smi rocm-smi; do
    [ ! -e "/usr/bin/$name" ] || ln -s "/usr/bin/$name" $rocm/bin/$name
done

# hipcc of AMD finds its clang below /opt/rocm/llvm; Debian's says where it is by itself. Its torch is newer than those of
# the production bases and wants C++20, where components say 17 for theirs.
cat > $rocm/bin/hipcc << 'END'
#!/usr/bin/env bash
for word in "$@"; do
    case $word in *.cpp | *.cu | *.hip | *.cc | *.cxx | *.c) echo "REAL-COMPILES hipcc $word" >&2 ;; esac
done
exec /usr/bin/hipcc "${@/#-std=c++17/-std=c++20}"
END
for name in amdclang amdclang++; do
    cat > $rocm/bin/$name << END
#!/usr/bin/env bash
for word in "\$@"; do
    case \$word in *.cpp | *.cu | *.hip | *.cc | *.cxx | *.c) echo "REAL-COMPILES $name \$word" >&2 ;; esac
done
exec $llvm/bin/${name#amd} "\$@"
END
done

# AMD's prints the version alone; Debian's puts words before it, which AITER's setup.py does not take.
cat > $rocm/bin/hipconfig << 'END'
#!/usr/bin/env bash
case $* in -v | --version) printf '%s' "$(/usr/bin/hipconfig --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)" ;; *) exec /usr/bin/hipconfig "$@" ;; esac
END
chmod 755 $rocm/bin/*

torch=$(python3 -c 'import torch; print(torch.__path__[0])')
cat >> "$torch/version.py" << 'END'

hip = "7.2.0"  # a CPU torch that says HIP: build files take their ROCm branch
cuda = None
END
cat >> "$torch/__init__.py" << 'END'

for _name, _answer in {
    "_cuda_getArchFlags": "gfx942 gfx950",
    "_cuda_getCurrentRawStream": 0,
    "_cuda_getDeviceCount": 0,
}.items():
    if not hasattr(_C, _name):
        setattr(_C, _name, lambda *_, answer=_answer: answer)
END
# What a torch for ROCm has besides: its headers for HIP, by its own hipify, and libraries to link with.
python3 "$(dirname "$0")/hip_headers.py" /usr/include
for name in libc10_hip libtorch_hip; do
    gcc -shared -o "/usr/lib/x86_64-linux-gnu/$name.so" -x c /dev/null
    ln -s "/usr/lib/x86_64-linux-gnu/$name.so" "$torch/lib/$name.so"
done
python3 -c 'import torch.utils.cpp_extension as e; assert e.IS_HIP_EXTENSION and e.ROCM_HOME; print(e.ROCM_HOME)'

# Debian's Python packages say nothing of their files, and pip replaces none that does not: let it forget them.
find /usr/lib/python3/dist-packages -maxdepth 1 -name '*.dist-info' | while read -r info; do
    [ -e "$info/RECORD" ] || (cd "$info/.." && find "$(basename "$info")" -type f -printf '%p,,\n' > /tmp/record && mv /tmp/record "$info/RECORD")
done
