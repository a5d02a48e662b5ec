"""`scripts/bench`: runs each scenario on daemon and baseline in turn, for several rounds, and prints the table."""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from claude_proxy import __version__
from scripts.benchmark import processes, report
from scripts.benchmark.scenarios import QUICK, SCENARIOS, Figures, Run, Size

Values = defaultdict[str, defaultdict[str, defaultdict[str, list[float]]]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of: {', '.join([*SCENARIOS, 'start'])}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured; medians are shown")
    parser.add_argument("--quick", action="store_true", help="one small round: only shows that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every value of every round there")
    parser.add_argument("--direct", action="store_true", help="also measure upstream itself, the lower bound")
    given = parser.parse_args()
    if unknown := set(given.scenarios) - {*SCENARIOS, "start"}:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    return given


def main() -> int:
    given = arguments()
    size = QUICK if given.quick else Size()
    rounds = 1 if given.quick else given.rounds
    chosen = given.scenarios or [*SCENARIOS, "start"]
    measured: Values = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    processes.prepare()
    with ExitStack() as stack:
        home, other_home = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="claude-proxy-bench-"))) for _ in range(2)
        )
        upstream = stack.enter_context(processes.upstream())
        targets = [
            *([upstream] if given.direct else []),
            stack.enter_context(processes.baseline(upstream.port)),
            stack.enter_context(processes.daemon(upstream.port, home)),
        ]
        for name in [name for name in SCENARIOS if name in chosen]:
            for _ in range(1 if name == "held" else rounds):
                for target in targets:
                    print(f"{name}: {target.name}", file=sys.stderr)
                    add(measured, name, target.name, run(name, Run(upstream, target, size)))
        for _ in range(size.starts if "start" in chosen else 0):
            add(measured, "start", "daemon", {"seconds": processes.cold_start(upstream.port, other_home)})
    print(report.table(measured))
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(rounds), "measured": measured}, indent=2) + "\n")
    return 0


def add(measured: Values, scenario: str, target: str, figures: Figures) -> None:
    for figure, value in figures.items():
        measured[scenario][target][figure].append(value)


def run(name: str, what: Run) -> Figures:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(_measure(name, what))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(name, what))


async def _measure(name: str, what: Run) -> Figures:
    return await SCENARIOS[name](what)


def machine(rounds: int) -> dict[str, object]:
    return {
        "claude-proxy": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "rounds": rounds,
    }


if __name__ == "__main__":
    sys.exit(main())
