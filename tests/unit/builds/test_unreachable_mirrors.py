"""A mirror on loopback is of use only where the steps of a build share it."""

import pytest

from rocmimg.builds.mirrors import refuse_unreachable_mirrors
from rocmimg.errors import ConfigError
from rocmimg.plan import make_plan

MATRIX = """
    targets:
      t:
        gpu_archs: [gfx942]
        base: debian:testing
"""
SOCKET = "unix:///var/run/docker.sock"


def refuse(load_matrix, mirror, mode, engine=SOCKET):
    matrix = load_matrix(MATRIX, f"network.git_mirrors[https://github.com/]={mirror}", f"network.engine_mode={mode}")
    refuse_unreachable_mirrors(make_plan(matrix, ["t-gfx942"])["t-gfx942"], engine)


@pytest.mark.parametrize("mirror", ["http://127.0.0.1:20000/", "http://localhost/m/", "http://[::1]:80/"])
def test_loopback_wants_the_network_of_the_host(load_matrix, mirror):
    refuse(load_matrix, mirror, "host")
    with pytest.raises(ConfigError, match="engine_mode to host"):
        refuse(load_matrix, mirror, "default")
    with pytest.raises(ConfigError, match="and the engine is not"):
        refuse(load_matrix, mirror, "host", "tcp://builder.example:2376")


@pytest.mark.parametrize("engine", [SOCKET, "ssh://builder.example"])
def test_a_mirror_of_the_network_is_left_to_the_engine(load_matrix, engine):
    refuse(load_matrix, "https://m.example/", "default", engine)
