"""The lab on real packages: torch, Triton, SGLang, FlashAttention. Builds images of 3 GB from about 1 GB of downloads.

Behind a proxy that intercepts TLS, `ROCMIMG_SET=network.ca_bundle=FILE` reaches these builds too.
"""

import json
import os

import pytest

from rocmimg.engine import BuildRequest

pytestmark = pytest.mark.skipif(
    os.environ.get("ROCMIMG_TEST_FULL") != "1", reason="downloads about 1 GB; set ROCMIMG_TEST_FULL=1"
)
# As an environment variable, because `--set` would take the place of the settings that the network needs.
SETTINGS = f"{os.environ.get('ROCMIMG_SET', '')} version=rocmimg-test"


@pytest.fixture(scope="module")
def build(host_engine, run_rocmimg):
    """Build a variant of the lab under a version of its own, and say its tag."""
    tags = set()

    def built(variant):
        done = run_rocmimg("build", f"lab-gfx942-{variant}", ROCMIMG_SET=SETTINGS)
        assert done.returncode == 0, done.stdout + done.stderr
        tags.add(tag := f"rocmimg/lab:rocmimg-test-lab-mi30x-{variant}")
        return tag

    yield built
    for tag in tags:
        host_engine.remove(tag, force=True)


@pytest.fixture
def judge(run_rocmimg):
    def judged(variant, *tiers):
        words = [word for tier in tiers for word in ("--tier", tier)]
        done = run_rocmimg("test", f"lab-gfx942-{variant}", *words, "--json", ROCMIMG_SET=SETTINGS)
        assert done.stdout, done.stderr
        (row,) = json.loads(done.stdout)
        return row["status"], {check["id"]: check for check in row["checks"] if check["tier"] in tiers}

    return judged


@pytest.mark.parametrize(
    ("variant", "modules"),
    [
        ("full", {"torch", "labkernels"}),
        ("third-party", {"torch", "labkernels", "sglang", "flash_attn"}),
    ],
)
def test_nothing_fails_and_what_is_real_was_looked_at(variant, modules, build, judge):
    build(variant)
    status, checks = judge(variant, "image", "import", "aot")
    failed = [f"{check['id']}: {check['reason']}" for check in checks.values() if check["status"] == "failed"]
    assert (status, failed) == ("passed", [])
    assert checks["import"]["details"]["seconds"].keys() == modules
    assert checks["origin"]["status"] == "passed"
    assert {check["status"] for check in checks.values() if check["tier"] == "aot"} == {"passed"}


def test_sglang_installed_with_the_default_mode_is_a_folder_from_the_work_directory(build, judge, host_engine):
    tag = build("third-party")
    text = f"""FROM {tag}
RUN pip uninstall --yes sglang \\
 && cd /sgl-workspace/sglang \\
 && pip install --no-index --no-deps --no-build-isolation --use-pep517 --editable .
"""
    host_engine.build(BuildRequest(dockerfile=text, context=(), tags=(tag,)), lambda _: None)
    status, checks = judge("third-party", "import")
    assert status == "failed"
    assert "finds no package but the folder /sgl-workspace/sglang" in checks["origin"]["reason"]
    assert "editable_mode=compat" in checks["origin"]["fix"]
