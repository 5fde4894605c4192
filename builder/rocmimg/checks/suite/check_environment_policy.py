"""Variables that do not belong into an image."""

from __future__ import annotations

import re
from typing import Final

from rocmimg.checks import Image, check, fail, not_applicable

_BUILD_TIME: Final = re.compile(
    r"SETUPTOOLS_SCM_.*|SCCACHE_.*|CCACHE_.*|DEBIAN_FRONTEND|MAX_JOBS|CARGO_BUILD_JOBS|CMAKE_BUILD_PARALLEL_LEVEL"
    r"|PREBUILD_KERNELS|(PIP|UV)_(EXTRA_)?INDEX_URL|PIP_CERT|(?i:https?_proxy|no_proxy|all_proxy)"
)
_ARCH_LISTS: Final = re.compile(
    r"(PYTORCH_ROCM_ARCH|GPU_ARCHS?|GPU_ARCH_LIST|AMDGPU_TARGETS?|[A-Z]+_(ROCM_ARCH|GPU_ARCHS))"
)
_GFX: Final = re.compile(r"gfx[0-9a-f]{3,4}")
OVERRIDE: Final = "HSA_OVERRIDE_GFX_VERSION"


@check("build-variables", tier="image", classes=["F13"])
def check_build_variables(image: Image) -> None:
    """No variable of the build is left in the image."""
    declared = image.expect.env
    left = [
        name
        for name, value in image.detail["env"].items()
        if _BUILD_TIME.fullmatch(name) and declared.get(name) != value
    ]
    if left:
        fail(
            f"{', '.join(sorted(left))} of the build is in every container",
            cause="an ENV instruction outlives the build step that it was for",
            fix="set it in the RUN that needs it",
        )


@check("arch-variables", tier="image", classes=["F13"])
def check_arch_variables(image: Image) -> None:
    """Lists of GPU architectures name this image's, no others."""
    if not image.expect.archs_asked:
        not_applicable("nobody says which architectures the image is to be for")
    for name, value in image.detail["env"].items():
        if _ARCH_LISTS.fullmatch(name) and (foreign := sorted(set(_GFX.findall(value)) - set(image.expect.archs))):
            image.finding(
                f"{name}={value} names {', '.join(foreign)}; the image is for {', '.join(image.expect.archs)}",
                cause="the base or another target set it; what compiles in the container would compile for those too",
                fix=f"declare {name} under `env` of the target",
            )


@check("gfx-override", tier="image", classes=["F14"])
def check_gfx_override(image: Image) -> None:
    """HSA_OVERRIDE_GFX_VERSION is not set, not even to nothing."""
    places = {"the image's environment": image.detail["env"]}
    shells = image.probe.get("surroundings", {})
    places |= {
        "/etc/environment": shells.get("etc_environment") or {},
        "interactive shells": shells.get("interactive") or {},
        "login shells": shells.get("login") or {},
    }
    for place, env in places.items():
        if OVERRIDE in env:
            image.finding(
                f"{place}: {OVERRIDE}={env[OVERRIDE]!r}",
                cause="the runtime takes every GPU for that one, and refuses an empty value",
                fix="remove it; who needs it sets it for a container",
            )
