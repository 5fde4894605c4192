"""A store of compiled code on the network, as sccache's own variables name it in the environment of a build."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rocmimg.errors import ConfigError, Position
from rocmimg.plan import STORE

_NAMES_A_STORE: Final = re.compile(
    r"SCCACHE_(BUCKET|GCS_BUCKET|REDIS(_ENDPOINT|_CLUSTER_ENDPOINTS)?|WEBDAV_ENDPOINT|MEMCACHED(_ENDPOINT)?"
    r"|AZURE_CONNECTION_STRING)"
)
_HANDED_ON: Final = re.compile(r"(SCCACHE|AWS)_[A-Z0-9_]+")
_CREDENTIAL: Final = re.compile(r"ACCESS_KEY|SECRET|TOKEN|PASSWORD|CONNECTION_STRING")
_KEY_FILE: Final = "SCCACHE_GCS_KEY_PATH"


def hidden_words(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What of the store's variables no log of a build may show, whatever its steps print."""
    found = set()
    for name, value in environ.items():
        if _HANDED_ON.fullmatch(name) and value:
            password = urlsplit(value).password if "://" in value else None
            found |= {value, password} if password else {value} if _CREDENTIAL.search(name) else set()
    return tuple(sorted(found))


def store_secret(environ: Mapping[str, str]) -> Mapping[str, bytes]:
    """The secret of steps that compile with sccache; empty where the environment names no store.

    Raises:
        ConfigError: the file with the key cannot be read.
    """
    if not any(_NAMES_A_STORE.fullmatch(name) and value for name, value in environ.items()):
        return {}
    given = {name: value for name, value in sorted(environ.items()) if _HANDED_ON.fullmatch(name)}
    lines = []
    if path := given.pop(_KEY_FILE, ""):
        try:
            key = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read", why=str(error), position=Position(_KEY_FILE)) from error
        lines = [f"export {_KEY_FILE}=$rocmimg_folder/gcs.json", f'printf %s {shlex.quote(key)} > "${_KEY_FILE}"']
    lines += [f"export {name}={shlex.quote(value)}" for name, value in given.items()]
    return {STORE: "".join(f"{line}\n" for line in lines).encode()}
