"""Let an installed distribution require another in the version that is there.

usage: requires_dist.py DISTRIBUTION NEW OLD...

Replaces the requirement of DISTRIBUTION on any of OLD by one on the installed version of NEW, in its METADATA, and
brings its RECORD, where it has one, up to date. Every other line stays: the parsed METADATA is compared before and
after. Where DISTRIBUTION is not installed there is nothing to do.
"""

from __future__ import annotations

import base64
import csv
import email.parser
import hashlib
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path


def rewritten(metadata: str, new: str, version: str, old: list[str]) -> str:
    """METADATA with the requirements on `old` as one on `new`; unchanged where there are none."""
    names = "|".join(re.escape(name).replace(r"\-", "[-_.]") for name in {new, *old})
    pattern = re.compile(
        rf"^Requires-Dist:\s*(?:{names})(?![\w.-])[^;\n]*?(?=\s*(?:;|$))", re.IGNORECASE | re.MULTILINE
    )
    head, blank, body = metadata.partition("\n\n")
    text = pattern.sub(f"Requires-Dist: {new}=={version}", head) + blank + body
    before, after = (parse(t, pattern) for t in (metadata, text))
    if before != after:
        raise SystemExit(f"METADATA would change elsewhere: {set(before) ^ set(after)}")
    return text


def parse(metadata: str, without: re.Pattern[str]) -> list[tuple[str, str]]:
    fields = email.parser.HeaderParser().parsestr(metadata).items()
    return [(key, value) for key, value in fields if not without.match(f"{key}: {value}")]


def metadata_file(found: Distribution) -> Path:
    """Its METADATA, or PKG-INFO as distributions' packages have it."""
    site = Path(str(found.locate_file("")))
    wanted = re.sub(r"[-_.]+", "_", found.metadata["Name"]).lower()
    for folder in sorted((*site.glob("*.dist-info"), *site.glob("*.egg-info"))):
        name = re.sub(r"[-_.]+", "_", folder.name.rpartition(".")[0].partition("-")[0]).lower()
        for file in (folder / "METADATA", folder / "PKG-INFO"):
            if name == wanted and file.is_file():
                return file
    raise SystemExit(f"{site} has no METADATA of {wanted}")


def main() -> None:
    name, new, *old = sys.argv[1:]
    try:
        found = distribution(name)
    except PackageNotFoundError:
        print(f"{name} is not installed: nothing requires another {new}")
        return
    version = distribution(new).version
    path = metadata_file(found)
    before = path.read_text(encoding="utf-8")
    after = rewritten(before, new, version, old)
    if after == before:
        print(f"{name} {found.version} requires nothing of {', '.join([new, *old])}, or just this version")
        return
    path.write_text(after, encoding="utf-8")
    digest = base64.urlsafe_b64encode(hashlib.sha256(after.encode()).digest()).rstrip(b"=").decode()
    print(f"{name} {found.version} now requires {new}=={version}")
    record = path.with_name("RECORD")
    if not record.exists():
        return
    with record.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    for row in rows:
        if row[0].endswith(f"{path.parent.name}/METADATA"):
            row[1:] = [f"sha256={digest}", str(len(after.encode()))]
    with record.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
