"""The Python of a base image, from its name."""

import pytest

from rocmimg.matrix.python import OLDEST, python_in_name, python_of, release_of


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.9.1", "3.10"),
        ("rocm/pytorch:rocm7.2.4_ubuntu24.04_py3.12_pytorch_release_2.10.0", "3.12"),
        ("ubuntu:24.04", "3.12"),
        ("ubuntu:noble-20250101@sha256:" + "a" * 64, "3.12"),
        ("rocm/dev-ubuntu-24.04:7.2.3-complete", "3.12"),
        ("debian:trixie-slim", "3.13"),
        ("python:3.11-slim", "3.11"),
        ("rocm/vllm:py-2.9", OLDEST),
        ("registry.example:5000/py3.1415/base:1", OLDEST),
        ("rocm/sgl-dev:rocm7-vllm-20250904", OLDEST),
    ],
)
def test_python_of_a_base(image, version):
    assert python_of(image) == version


def test_a_release_is_no_word_on_the_python_that_is_used():
    assert python_in_name("ubuntu:24.04") == ""


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.9.1", "jammy"),
        ("rocm/dev-ubuntu-24.04:7.2.3-complete", "noble"),
        ("debian:trixie-slim", "trixie"),
        ("ubuntu:latest", ""),
        ("rocm/sgl-dev:rocm7-vllm-20250904", ""),
    ],
)
def test_release_of_a_base(image, release):
    assert release_of(image) == release
