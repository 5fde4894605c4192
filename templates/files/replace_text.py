"""Replace text in the source of an installed module, or fail.

usage: replace_text.py MODULE OLD NEW [OLD NEW]...
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    module, *texts = sys.argv[1:]
    package, _, name = module.rpartition(".")
    folder = find_spec(package)
    if folder is None or not folder.submodule_search_locations:
        raise SystemExit(f"there is no package {package}")
    path = Path(folder.submodule_search_locations[0]) / f"{name}.py"
    source = path.read_text(encoding="utf-8")
    for old, new in zip(texts[::2], texts[1::2], strict=True):
        if old not in source:
            raise SystemExit(f"{path} has no {old!r}: the version changed; is the replacement still needed?")
        source = source.replace(old, new)
    compile(source, str(path), "exec")
    path.write_text(source, encoding="utf-8")


if __name__ == "__main__":
    main()
