"""Cache mounts on a real engine: they last, they are apart, and nothing of them is in any layer."""

import uuid

import pytest

from rocmimg.engine import BuildRequest, ContainerSpec
from rocmimg.matrix import load, parse_set
from rocmimg.plan import make_plan

KINDS = ("git", "apt", "pip", "pip/wheels", "ccache")
MARK = f"kept-{uuid.uuid4().hex}"
TEMPLATE = f"""
{{% extends "components/component.j2" %}}
{{% block build %}}
{{% call m.run(network=true, git=true, apt=true, compiles=true) %}}
mkdir -p /seen && : {{{{ options.n }}}} --no-cache-dir \\
 && for folder in {" ".join(KINDS)}; do \\
        [ ! -f /run/rocmimg/$folder/left ] || echo $folder >> /seen/folders; \\
        [ ! -d /run/rocmimg/$folder ] || echo {MARK} > /run/rocmimg/$folder/left; \\
    done
{{% endcall %}}
{{% endblock %}}
{{% block install %}}
COPY --from=keeps /seen /seen
{{% endblock %}}
"""
MATRIX = f"""
    targets:
      t:
        image: rocmimg-test/caches
        gpu_archs: [gfx942]
        base: "rocmimg-test/base:1"
        cache: {{namespace: test-{MARK[-8:]}}}
        components: {{keeps: {{}}}}
"""


@pytest.fixture
def keeps(project, small_base):
    made = project(MATRIX)
    made.recipe("keeps", "", options={"n": {"type": "int", "default": 0, "help": "Makes the step another one"}})
    (made.folder / "templates/components/keeps.j2").write_text(TEMPLATE.lstrip())
    return made


def run(engine, image, script):
    with engine.run(ContainerSpec(image=image)) as container:
        return container.exec(["sh", "-c", script], timeout=60).stdout.decode().split()


def test_caches_last_and_leave_nothing_in_any_layer(keeps, host_engine):
    def seen(n, *options):
        (row,) = keeps.json("build", "--set", f"components.keeps.options.n={n}", *options)
        assert row["status"] == "built", row["error"]
        found = run(host_engine, row["image_id"], "cat /seen/folders 2> /dev/null")
        assert run(host_engine, row["image_id"], f"grep -rl {MARK} / --exclude-dir=proc --exclude-dir=sys") == []
        return found

    lasting = [kind for kind in KINDS if kind != "pip/wheels"]  # the option may change what a wheel is built against
    assert seen(1) == []
    assert seen(2) == lasting
    assert seen(3, "--set", f"cache.namespace=other-{MARK[-8:]}") == []
    assert seen(4, "--no-cache") == []
    assert seen(5) == lasting
    plan = make_plan(load(keeps.folder / "images.yaml", sets=[parse_set("components.keeps.options.n=5")]), ["t-gfx942"])
    text, context = plan["t-gfx942"].build_files(caches=True)
    for stage in ("keeps", "final"):
        request = BuildRequest(dockerfile=text, context=context, target=stage, tags=(f"rocmimg-test/{stage}:1",))
        built = host_engine.build(request, lambda _: None)
        left = "find / -xdev -path /proc -prune -o -path /sys -prune -o -type f -newer /etc/hostname -print"
        assert not [path for path in run(host_engine, built.image_id, left) if path.startswith("/run/rocmimg")]
        assert run(host_engine, built.image_id, f"grep -rl {MARK} / --exclude-dir=proc --exclude-dir=sys") == []


def test_what_the_caches_take_is_told_and_limited(keeps, host_engine):
    if host_engine.info.kind == "podman":
        pytest.skip("podman does not tell what its cache mounts take")
    before = {one.id for one in host_engine.caches()}
    assert keeps.run("build", "--set", f"cache.namespace=limited-{MARK[-8:]}", "--force").returncode == 0
    mine = [one for one in host_engine.caches() if one.id not in before]
    assert sorted(one.kind for one in mine) == ["apt", "ccache", "git", "pip", "wheels"]
    host_engine.remove_caches(mine)
    assert not {one.id for one in host_engine.caches()} & {one.id for one in mine}
