"""Network settings as files that a RUN mounts and sources: nothing of them becomes part of the image."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rocmimg.matrix.mirrors import instead_of
from rocmimg.matrix.model import Network

MOUNT: Final = "/run/rocmimg/network"
"""Where a RUN finds the files."""
FOLDER: Final = ".rocmimg/network"
"""Where they lie in the build context."""

# Every tool has a name of its own for the CA bundle.
_CA_VARIABLES: Final = (
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
)
_APT_MIRROR: Final = """\
rocmimg_apt=$(mktemp -d)
trap 'rm -rf "$rocmimg_apt"' EXIT
cp -a /etc/apt/. "$rocmimg_apt"
find "$rocmimg_apt" -type f \\( -name '*.list' -o -name '*.sources' \\) -exec sed -i -E \\
    -e 's#https?://[^/ ]+(/(debian|ubuntu)[a-z-]*[/ ]|/(debian|ubuntu)[a-z-]*$)#'{mirror}'\\1#' {{}} +
printf 'Dir::Etc "%s";\\n' "$rocmimg_apt" > "$rocmimg_apt/mirror.conf"
cat {mount}/apt.conf >> "$rocmimg_apt/mirror.conf"
export APT_CONFIG=$rocmimg_apt/mirror.conf
"""


def is_set(network: Network) -> bool:
    """Whether a RUN needs the files at all."""
    return bool(network.model_dump(exclude_defaults=True, exclude={"engine_mode"}))


def proxy_arguments(network: Network) -> Mapping[str, str]:
    """The proxies as build arguments, which every Dockerfile takes, and which leave no trace in the image."""
    found = {"http_proxy": network.http_proxy, "https_proxy": network.https_proxy, "no_proxy": str(network.no_proxy)}
    return {name: value for key, value in found.items() if value for name in (key, key.upper())}


def network_files(network: Network, folder: Path) -> Mapping[str, bytes | Path]:
    """Context path -> content; empty where nothing is set. ``folder`` is where relative paths start."""
    if not is_set(network):
        return MappingProxyType({})
    files: dict[str, bytes | Path] = {}
    variables: dict[str, str] = {}
    apt: list[str] = []
    if network.ca_bundle:
        files[f"{FOLDER}/ca.pem"] = folder / network.ca_bundle
        variables |= dict.fromkeys(_CA_VARIABLES, f"{MOUNT}/ca.pem")
        apt.append(f'Acquire::https::CaInfo "{MOUNT}/ca.pem";')
    for scheme in ("http", "https"):
        if proxy := getattr(network, f"{scheme}_proxy"):
            variables |= {f"{scheme}_proxy": proxy, f"{scheme.upper()}_PROXY": proxy}
    if network.no_proxy:
        variables |= {"no_proxy": network.no_proxy, "NO_PROXY": network.no_proxy}
    if network.pip_index_url:
        variables |= {"PIP_INDEX_URL": network.pip_index_url, "UV_DEFAULT_INDEX": network.pip_index_url}
    if network.pip_extra_index_urls:
        urls = " ".join(network.pip_extra_index_urls)
        variables |= {"PIP_EXTRA_INDEX_URL": urls, "UV_INDEX": urls}
    if network.git_mirrors:
        variables |= instead_of(network.git_mirrors)
        variables["CARGO_NET_GIT_FETCH_WITH_CLI"] = "true"  # its own git reads no such settings
    files[f"{FOLDER}/apt.conf"] = "".join(f"{line}\n" for line in apt).encode()
    variables["APT_CONFIG"] = f"{MOUNT}/apt.conf"
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    # Every RUN traces its commands; proxies, indexes and mirrors hold passwords, and a trace goes to the build's log.
    script = exports
    if network.apt_mirror:
        script += _APT_MIRROR.format(mirror=shlex.quote(network.apt_mirror.rstrip("/")), mount=MOUNT)
    files[f"{FOLDER}/env"] = f"{{ set +x; }} 2>/dev/null\n{script}set -x\n".encode()
    return MappingProxyType(files)
