from __future__ import annotations

from rocmimg.checks import Image, check, not_applicable


@check("triton-owners", tier="image", classes=["F03"])
def check_triton_owners(image: Image) -> None:
    """One distribution owns `triton`, and its files are the ones that it installed."""
    owners = [one for one in image.probe["distributions"] if "triton" in one["packages"]]
    if not owners:
        not_applicable("there is no Triton in the image")
    names = ", ".join(f"{one['name']} {one['version']}" for one in owners)
    if len(owners) > 1:
        image.finding(
            f"{names} are all installed in the folder triton",
            cause="under different names pip does not know that one replaces the other; the files are a mixture",
            fix="uninstall all of them, then install one",
        )
    if wrong := image.probe["overwritten"]:
        image.finding(
            f"{wrong[0]['path']}: {wrong[0]['how']} than {names} installed"
            + (f", and {len(wrong) - 1} more" if wrong[1:] else ""),
            cause="another distribution, or a copy, was laid over it; or a component's setup.py replaced Triton",
            fix="install Triton last and once; AITER_USE_SYSTEM_TRITON=1 for AITER",
        )
    image.note(triton=names)
