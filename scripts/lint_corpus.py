"""Lint a folder of foreign Dockerfiles: counts per rule, and a sample of the findings to judge by hand.

    python scripts/lint_corpus.py FOLDER [--sample N] [--seed S] [--rule ROC001 ...]

The sample has the file's own lines under each finding, for a verdict of true or false. docs/lint-precision.md has the
verdicts. The files stay where they are; nothing is written.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

from rocmimg.lint import runner, service
from rocmimg.lint.model import Finding, Level
from rocmimg.terminal import harmless

LEVELS = tuple(Level)


def main() -> int:
    """Lint, count, sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", type=int, default=20, metavar="N", help="findings per rule and level to show [20]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rule", action="append", default=[], help="these rules only")
    options = parser.parse_args()
    begin = time.perf_counter()
    report = service.run([options.folder], arguments={}, rules=options.rule)
    seconds = time.perf_counter() - begin
    counts = Counter((finding.rule, finding.level) for finding in report.findings)
    hit = {rule: len({f.file for f in report.findings if f.rule == rule}) for rule, _ in counts}
    print(f"{len(report.files)} files, {len(report.findings)} findings, {seconds:.2f} s\n")
    print("| rule | files | " + " | ".join(f"{level}s" for level in LEVELS) + " |")
    print("|---|---|" + "---|" * len(LEVELS))
    for rule in sorted(hit):
        print(f"| {rule} | {hit[rule]} | " + " | ".join(str(counts[rule, level]) for level in LEVELS) + " |")
    total = [sum(counts[rule, level] for rule in hit) for level in LEVELS]
    print(f"| all | {len({f.file for f in report.findings})} | " + " | ".join(map(str, total)) + " |")
    for rule, level in sorted(counts):
        matching = [f for f in report.findings if (f.rule, f.level) == (rule, level)]
        chosen = random.Random(options.seed).sample(  # noqa: S311
            matching, min(options.sample, len(matching))
        )
        for finding in sorted(chosen, key=lambda f: (f.file, f.line)):
            show(finding, report, options.folder)
    return 0


def show(finding: Finding, report: runner.Report, folder: Path) -> None:
    """One finding with the lines that it is about."""
    source = report.sources[finding.file]
    name = Path(finding.file)
    place = name.relative_to(folder) if name.is_relative_to(folder) else name
    also = f" (also {', '.join(map(str, finding.also))})" if finding.also else ""
    print(f"\n[{finding.rule} {finding.level}] {place}:{finding.line}: {harmless(finding.message)}{also}")
    for line in range(finding.line, min(finding.end_line, finding.line + 5) + 1):
        print(f"  {line:5} | {harmless(source.line_text(line))[:240]}")


if __name__ == "__main__":
    sys.exit(main())
