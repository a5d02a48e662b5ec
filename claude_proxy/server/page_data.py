"""What the page shows beside the live feed: the state of the server, set-up snippets, and the ledger's figures."""

import time
from collections.abc import Iterable, Mapping
from statistics import median

from aiohttp import web
from msgspec import Struct, field

from claude_proxy.errors import InvalidRequest, StoreError
from claude_proxy.log import redacted
from claude_proxy.recipes import RECIPES, snippet
from claude_proxy.server.last_warning import LastWarning
from claude_proxy.server.policy import Policy
from claude_proxy.server.state import State
from claude_proxy.server.status import facts
from claude_proxy.server.usage_report import Figures, GroupFigures, Report, report
from claude_proxy.store import usage as ledger
from claude_proxy.store.usage import CLIENT_LEFT, UsageRow

WARNINGS = web.AppKey("last_warning", LastWarning)

# range -> number of intervals, seconds of each
RANGES: Mapping[str, tuple[int, int]] = {"hour": (60, 60), "day": (48, 1800), "month": (30, 86400)}


def page_state(state: State, warnings: LastWarning) -> dict[str, object]:
    """What `/status` says, and the last warning."""
    warned = None if warnings.message is None else {"message": redacted(warnings.message), "at": warnings.at}
    return {**facts(state), "last_warning": warned}


def setup_snippets(state: State, policy: Policy) -> list[dict[str, str]]:
    """Each recipe for this server's address."""
    base_url, needs_key = f"{state.address}/openai/v1", policy.key is not None
    return [
        {"name": recipe.name, "title": recipe.title, "text": snippet(recipe, base_url, needs_key=needs_key)}
        for recipe in RECIPES
    ]


class Point(Struct):
    """One interval that begins `at`; what is not known is None. `first_token` is the median of good answers."""

    at: float
    requests: int = 0
    errors: int = 0
    tokens: int | None = None
    first_token: float | None = None


class PageFigures(Struct):
    """The ledger's figures of one range. `problem` says why they are not known, or may not be complete."""

    known: bool
    problem: str | None = None
    step: int = 0
    points: list[Point] = field(default_factory=list)
    by_model: list[GroupFigures] = field(default_factory=list)
    by_client: list[GroupFigures] = field(default_factory=list)
    total: Figures = field(default_factory=Figures)
    plan: bool | None = None  # whether a plan login paid for all of it, or for none of it


async def figures(state: State, name: str) -> PageFigures:
    """The figures of a range of RANGES. Raises InvalidRequest for another one."""
    if name not in RANGES:
        raise InvalidRequest(f"range must be one of {', '.join(RANGES)}", param="range")
    meter = state.meter
    if meter.ledger is None:
        return PageFigures(known=False, problem="Unknown: usage is not recorded.")
    count, step = RANGES[name]
    await meter.written()
    until = time.time()
    try:
        found = await meter.ledger.read(
            lambda connection: summed_up(list(ledger.between(connection, until - count * step, until)), until, name)
        )
    except StoreError as exc:
        return PageFigures(known=False, problem=f"Unknown: {redacted(exc.text)}")
    if meter.problem is not None:
        found.problem = f"Not complete: {redacted(meter.problem)}"
    return found


def summed_up(rows: list[UsageRow], until: float, name: str) -> PageFigures:
    """The figures of `rows`, which began within the range that ends at `until`."""
    count, step = RANGES[name]
    since = until - count * step
    models = report(rows, since, until, "model")
    clients: Report = report(rows, since, until, "client")
    paid = {row.plan for row in rows}
    return PageFigures(
        known=True,
        step=step,
        points=series(rows, since, count, step),
        by_model=models.rows,
        by_client=clients.rows,
        total=models.total,
        plan=paid.pop() if len(paid) == 1 else None,
    )


def series(rows: Iterable[UsageRow], since: float, count: int, step: int) -> list[Point]:
    """`count` intervals of `step` seconds each."""
    points = [Point(at=since + index * step) for index in range(count)]
    waits: list[list[float]] = [[] for _ in range(count)]
    for row in rows:
        index = min(count - 1, max(0, int((row.time - since) // step)))
        point = points[index]
        point.requests += 1
        point.errors += row.error not in (None, CLIENT_LEFT)
        if row.tokens is not None:
            point.tokens = (point.tokens or 0) + row.tokens
        if row.first_token is not None and row.error is None:
            waits[index].append(row.first_token)
    for point, known in zip(points, waits, strict=True):
        point.first_token = round(median(known), 3) if known else None
        if not point.requests:
            point.tokens = 0
    return points
