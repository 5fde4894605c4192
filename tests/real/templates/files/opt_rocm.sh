#!/usr/bin/env bash
# Debian's ROCm where AMD's packages lie. Compilers say what they compile, so that a log tells how far a build came.
set -euo pipefail

rocm=/opt/rocm
llvm=$(find /usr/lib -maxdepth 1 -name 'llvm-*' | sort -V | tail -n 1)
mkdir -p $rocm/bin $rocm/.info $rocm/share
echo 7.2.0 > $rocm/.info/version
ln -s /usr/include $rocm/include
ln -s /usr/lib/x86_64-linux-gnu $rocm/lib
ln -s "$llvm" $rocm/llvm
ln -s "$llvm" /usr/lib/x86_64-linux-gnu/${llvm##*/} # where hipcc looks below ROCM_PATH
ln -s /usr/lib/x86_64-linux-gnu/amdgcn $rocm/amdgcn
for name in hipconfig rocminfo rocm_agent_enumerator amd-smi rocm-smi; do
    [ ! -e "/usr/bin/$name" ] || ln -s "/usr/bin/$name" $rocm/bin/$name
done

# hipcc of AMD finds its clang below /opt/rocm/llvm; Debian's says where it is by itself.
cat > $rocm/bin/hipcc << 'END'
#!/usr/bin/env bash
for word in "$@"; do
    case $word in *.cpp | *.cu | *.hip | *.cc | *.cxx | *.c) echo "REAL-COMPILES hipcc $word" >&2 ;; esac
done
exec /usr/bin/hipcc "$@"
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
chmod 755 $rocm/bin/hipcc $rocm/bin/amdclang $rocm/bin/amdclang++

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
python3 -c 'import torch.utils.cpp_extension as e; assert e.IS_HIP_EXTENSION and e.ROCM_HOME; print(e.ROCM_HOME)'

# Debian's Python packages say nothing of their files, and pip replaces none that does not: let it forget them.
find /usr/lib/python3/dist-packages -maxdepth 1 -name '*.dist-info' | while read -r info; do
    [ -e "$info/RECORD" ] || (cd "$info/.." && find "$(basename "$info")" -type f -printf '%p,,\n' > /tmp/record && mv /tmp/record "$info/RECORD")
done
