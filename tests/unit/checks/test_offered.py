"""What a container on another machine says of the GPUs that it was given."""

from rocmimg.checks.offered import parsed

NODES = """\
cpu_cores_count 96
gfx_target_version 0
drm_render_minor 0
end
cpu_cores_count 0
gfx_target_version 90402
drm_render_minor 128
end
gfx_target_version 90500
drm_render_minor 136
end
"""
FILES = "file 109 /dev/kfd\nfile 0 /dev/dri/renderD128\n"


def test_the_gpus_whose_nodes_the_container_has():
    found = parsed(NODES + FILES, "none")
    assert [(gpu.index, gpu.arch, gpu.render) for gpu in found.gpus] == [(0, "gfx942", "/dev/dri/renderD128")]
    assert (found.groups, found.reason) == ((109,), "")


def test_without_the_drivers_node_or_a_gpu_there_is_none():
    assert parsed(NODES, "none").reason == "none"
    assert parsed(FILES, "none").reason == "none"
    assert parsed("", "none").reason == "none"
