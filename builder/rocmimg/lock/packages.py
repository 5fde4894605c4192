"""Versions and hashes of Python packages, from an index's simple API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import requests
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pypi_simple import PYPI_SIMPLE_ENDPOINT, DistributionPackage, NoSuchProjectError, PyPISimple

from rocmimg.errors import SourceError
from rocmimg.lock.file import DEFAULT_INDEX, PackagePin
from rocmimg.matrix.model import Network
from rocmimg.registry.http import innermost, retrying_session

_TIMEOUT_S: Final = (10, 60)


def look_up(index: str, requirement: str, network: Network, pythons: Sequence[str]) -> PackagePin:
    """The newest version that fits and runs on each of these Pythons, pre-releases and yanked files left out.

    Raises:
        SourceError: the index does not answer, or has nothing that fits.
    """
    wanted = Requirement(requirement)
    name, specifier = wanted.name, wanted.specifier
    url = (network.pip_index_url or PYPI_SIMPLE_ENDPOINT) if index == DEFAULT_INDEX else index
    try:
        with PyPISimple(url, session=_session(network)) as client:
            page = client.get_project_page(name, timeout=_TIMEOUT_S)
    except NoSuchProjectError as error:
        raise SourceError(f"{url} has no {name}", next_step="correct the name, or name an index that has it") from error
    except (requests.RequestException, ValueError) as error:
        raise SourceError(
            f"cannot read {name} of {url}", why=innermost(error), next_step="check the index and the network"
        ) from error
    by_version: dict[Version, list[DistributionPackage]] = {}
    for package in page.packages:
        version = _version(package)
        if version and not package.is_yanked and _for_linux(package) and _fits(version, specifier):
            by_version.setdefault(version, []).append(package)
    usable = [
        version
        for version, files in by_version.items()
        if all(any(_runs(file, python) for file in files) for python in pythons)
    ]
    if not usable:
        raise SourceError(
            f"{url} has nothing that fits {requirement}",
            why=f"looked for Linux on x86-64 and Python {' and '.join(pythons)}"
            if page.packages
            else "the project is empty",
            next_step="widen the bounds in images.yaml",
        )
    best = max(usable)
    return PackagePin(version=str(best), files=_hashes(by_version[best]))


def _session(network: Network) -> requests.Session:
    session = retrying_session()
    proxies = {scheme: getattr(network, f"{scheme}_proxy") for scheme in ("http", "https")}
    session.proxies.update({scheme: proxy for scheme, proxy in proxies.items() if proxy})
    return session


def _version(package: DistributionPackage) -> Version | None:
    try:
        return Version(package.version) if package.version else None
    except InvalidVersion:
        return None


def _fits(version: Version, specifier: SpecifierSet) -> bool:
    if specifier.contains(version, prereleases=False):
        return True
    # An exact version may be a pre-release, and may leave out the end of its local part, as recipes do.
    exact = [clause.version for clause in specifier if clause.operator == "=="]
    return any(str(version) == wanted or ("+" in wanted and str(version).startswith(f"{wanted}.")) for wanted in exact)


def _for_linux(package: DistributionPackage) -> bool:
    if package.package_type != "wheel":
        return package.package_type == "sdist"
    try:
        tags = parse_wheel_filename(package.filename)[3]
    except InvalidWheelFilename:
        return False
    return any(t.platform == "any" or ("linux" in t.platform and t.platform.endswith("x86_64")) for t in tags)


def _runs(package: DistributionPackage, python: str) -> bool:
    try:
        # A bound such as >=3.10.2 speaks of patches that a base's name does not tell.
        asked = package.requires_python and SpecifierSet(package.requires_python)
        return not asked or python in asked or f"{python}.99" in asked
    except InvalidSpecifier:
        return True


def _hashes(packages: Iterable[DistributionPackage]) -> dict[str, str]:
    return {
        p.filename: p.digests["sha256"] for p in sorted(packages, key=lambda p: p.filename) if "sha256" in p.digests
    }
