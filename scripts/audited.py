"""Summarises pip-audit's output for each lock: known vulnerabilities, and packages that could not be looked up."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

FOUND, UNPROVEN = 1, 3


def verdict(locks: Path, answers: Path) -> tuple[int, list[str]]:
    """The exit code and the lines to print. A lock without output counts as not looked up."""
    found: list[str] = []
    unproven: list[str] = []
    looked_up = 0
    for lock in sorted(locks.glob("*.txt")):
        file = answers / f"{lock.stem}.json"
        if not file.exists():
            unproven.append(f"{lock.name}: no answer")
            continue
        packages = json.loads(file.read_text("utf-8"))["dependencies"]
        skipped = [package for package in packages if "skip_reason" in package]
        looked_up += len(packages) - len(skipped)
        if skipped:
            unproven.append(f"{lock.name}: {len(skipped)} of {len(packages)} could not be looked up")
        found += [
            f"{lock.name}: {package['name']} {package['version']}: {known['id']}"
            + (f", fixed in {', '.join(known['fix_versions'])}" if known["fix_versions"] else "")
            for package in packages
            for known in package.get("vulns", ())
        ]
    if found:
        return FOUND, [*found, *unproven, "VULNERABLE: the versions above have known vulnerabilities"]
    if unproven:
        return UNPROVEN, [*unproven, "NOT AUDITED: the database could not be asked, so nothing is proven"]
    return 0, [f"audited: nothing is known against the {looked_up} locked versions"]


def main(arguments: Sequence[str]) -> int:
    locks, answers = map(Path, arguments)
    code, lines = verdict(locks, answers)
    print(*lines, sep="\n", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
