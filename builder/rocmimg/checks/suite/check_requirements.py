"""What `pip check` says: each distribution has what it requires."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from packaging.markers import InvalidMarker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rocmimg.checks import Image, check, not_applicable

_FIX: Final = (
    "install the missing one at the right version, or all of them in one `pip install`, so that the resolver sees the "
    "conflict; `pip check` at the end of the Dockerfile stops the build"
)


@check("requirements", tier="image", classes=["F43"])
def check_requirements(image: Image) -> None:
    """Every Python distribution finds what it requires, at a version that it accepts."""
    distributions = first_of_each(image.probe["distributions"])
    if not distributions:
        not_applicable("there are no Python distributions in the image")
    interpreter = image.probe.get("interpreter", {})
    environment = {**interpreter.get("markers", {}), "extra": ""}
    image.note(distributions=len(distributions))
    if nightly := list(_builds_of_a_night(distributions)):
        image.note(pinned_to_a_build_of_a_night=nightly)
    if not interpreter.get("markers"):
        image.unproven("the image's Python does not say which markers hold")
        return
    for name, one in distributions.items():
        who = f"{one['name']} {one['version']}".strip()
        for requirement, problem in _wrong(one, distributions, environment):
            image.finding(
                f"{who} requires {requirement}, {problem}",
                path=one.get("metadata") or one["path"],
                cause=f"{name} was installed without what it requires (--no-deps), or a later step replaced that",
                fix=_FIX,
            )
        if python := _python(one, environment):
            image.finding(
                f"{who} requires Python {one['requires_python']}; the image has {python}",
                path=one.get("metadata") or one["path"],
                cause="it was copied from another image, or installed with --ignore-requires-python",
                fix="install a release for this Python",
            )


def first_of_each(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Canonical name -> the distribution that the interpreter sees: the first on its path."""
    seen: dict[str, dict[str, Any]] = {}
    for one in found:
        seen.setdefault(canonicalize_name(one["name"]), one)
    return seen


def _builds_of_a_night(distributions: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Exact pins on .dev versions: once an index drops these, the image cannot be built again."""
    for one in distributions.values():
        for text in one["requires"]:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            exact = (pin.version for pin in requirement.specifier if pin.operator in {"==", "==="})
            if not requirement.url and any(".dev" in version for version in exact):
                yield f"{one['name']} {one['version']} requires {requirement.name}{requirement.specifier}"


def _wrong(
    one: Mapping[str, Any], installed: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The requirements that are not met, each with what is wrong."""
    for text in one["requires"]:
        try:
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate(dict(environment)):
                continue
        except (InvalidRequirement, InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
            yield text, "which is not a requirement that pip can read"
            continue
        shown = f"{requirement.name}{requirement.specifier}"
        found = installed.get(canonicalize_name(requirement.name))
        if found is None:
            yield shown, "which is not installed"
        elif not _accepts(requirement.specifier, found["version"]):
            yield shown, f"and {found['name']} {found['version']} is installed"


def _accepts(specifier: SpecifierSet, version: str) -> bool:
    try:
        return specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return not specifier  # a version that nobody can compare fits no specifier


def _python(one: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """The interpreter's version where the distribution does not accept it."""
    version = environment.get("python_full_version", "")
    try:
        wanted = SpecifierSet(one.get("requires_python", ""))
        return "" if wanted.contains(Version(version), prereleases=True) else version
    except (InvalidSpecifier, InvalidVersion):
        return ""
