"""What a pack holds: inputs, expected values and layouts that others can read."""

import json
from pathlib import Path

import numpy as np
import pytest

from rocmimg.checks.kernels.cases import CASES
from rocmimg.checks.kernels.manifest import Manifest, load_manifest
from rocmimg.checks.kernels.pack import LayoutError, lay_out, write_pack
from rocmimg.errors import SourceError

from .conftest import compiled


def wide(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def reference(name, data):
    match name:
        case "vector_add":
            return data["a"].astype(np.float64) + data["b"]
        case "matmul_bf16":
            return wide(data["a"]) @ wide(data["b"]).T
        case "rmsnorm":
            x = wide(data["x"])
            return x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-5) * wide(data["weight"])


@pytest.mark.parametrize("name", CASES)
def test_numpy_reads_the_data_and_gets_the_expected_values_itself(tmp_path, name):
    write_pack(tmp_path, [compiled(name)], seed=3)
    data = np.load(tmp_path / f"{name}.npz")
    expected = data["expected_out"]
    assert expected.dtype == np.float64
    assert expected.shape == CASES[name].output.shape
    np.testing.assert_allclose(expected, reference(name, data), rtol=1e-12)


def test_bf16_inputs_are_rounded_to_nearest():
    case = CASES["rmsnorm"]
    values = np.frombuffer(case.random_inputs(1)["x"], "<u2")
    assert np.abs(np.std(wide(values)) - 1) < 0.05
    halfway = np.array([0x3F808000, 0x3F818000], np.uint32).view(np.float32)  # ties go to the even neighbour
    from rocmimg.checks.kernels.cases import encode

    assert np.frombuffer(encode("bf16", list(map(float, halfway))), "<u2").tolist() == [0x3F80, 0x3F82]


def test_a_seed_decides_the_inputs():
    case = CASES["vector_add"]
    assert case.random_inputs(1) == case.random_inputs(1)
    assert case.random_inputs(1) != case.random_inputs(2)


def test_the_manifest_describes_hidden_arguments_and_what_the_caller_passes(tmp_path):
    write_pack(tmp_path, [compiled("rmsnorm")], seed=3)
    (kernel,) = json.loads((tmp_path / "manifest.json").read_text())["kernels"]
    assert [(a["kind"], a["offset"]) for a in kernel["arguments"]] == [
        ("input", 0),
        ("input", 8),
        ("output", 16),
        ("scalar", 24),
        ("scalar", 28),
    ]
    assert kernel["arguments_bytes"] == 32
    assert {"kind": "hidden_group_size_x", "size": 2, "offset": 44} in kernel["hidden"]
    assert kernel["block"] == [256, 1, 1]


def test_triton_s_scratch_pointers_get_zeros():
    packed = lay_out(CASES["rmsnorm"], compiled("rmsnorm", "gfx950", "triton").kernel)
    assert [a.kind for a in packed] == ["input", "input", "output", "scalar", "scalar", "null", "null"]


def test_a_kernel_with_other_arguments_is_refused():
    with pytest.raises(LayoutError, match="vector_add takes"):
        lay_out(CASES["rmsnorm"], compiled("vector_add").kernel)


def test_a_pack_survives_the_way_through_its_manifest(pack):
    manifest = load_manifest(pack)
    assert manifest.cell == "lab-gfx942"
    assert [kernel.id for kernel in manifest.kernels] == ["hip-gfx942-rmsnorm", "hip-gfx942-vector_add"]


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda pack: (pack / "manifest.json").unlink(), "is not a kernel pack"),
        (lambda pack: (pack / "manifest.json").write_text("{"), "not a manifest"),
        (lambda pack: edit(pack, lambda m: m.update(format="rocmimg-kernels/2")), "not a manifest"),
        (lambda pack: edit(pack, lambda m: m["kernels"][0].update(code="../x")), "inside its folder"),
        (lambda pack: edit(pack, lambda m: m["kernels"][0].update(data="/etc/passwd")), "inside its folder"),
        (lambda pack: (pack / "rmsnorm.npz").unlink(), "rmsnorm.npz is missing"),
        (lambda pack: (pack / "hip-gfx942-rmsnorm.hsaco").write_bytes(b"x"), "sha256 differs"),
    ],
)
def test_a_damaged_pack_is_refused(pack, spoil, what):
    spoil(pack)
    with pytest.raises(SourceError) as error:
        load_manifest(pack)
    assert what in str(error.value)


def edit(pack, change):
    path = pack / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_the_documented_schema_is_current():
    documented = Path(__file__).parents[3] / "docs" / "kernel-pack.schema.json"
    assert json.loads(documented.read_text()) == Manifest.model_json_schema()
