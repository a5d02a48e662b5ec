"""`claude-proxy usage`: what requests have used. It reads the ledger itself, whether or not the daemon runs."""

import csv
import io
import sys
import time
from typing import TYPE_CHECKING

import click

from claude_proxy.cli import output
from claude_proxy.errors import InvalidRequest
from claude_proxy.paths import paths
from claude_proxy.server.usage_report import By, Figures, GroupFigures, Report, begin_of, report
from claude_proxy.store import usage as ledger
from claude_proxy.store.database import read_only
from claude_proxy.store.usage import UsageRow

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = (
    "requests",
    "errors",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "cost_usd",
)
_BAR = 20  # characters


@click.command(short_help="Show what requests have used, and its list price.")
@click.option("--since", default="7d", show_default=True, metavar="TIME", help="begin: 7d, 12h (ago), or a date")
@click.option("--by", type=click.Choice(["day", "model", "client"]), default="day", show_default=True, help="group by")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@click.option("--csv", "as_csv", is_flag=True, help="print comma-separated values")
def usage(*, since: str, by: By, as_json: bool, as_csv: bool) -> None:
    """Show what requests have used: their number, tokens of four kinds, and the list price.

    The daemon need not run. Of a running one, the requests of the last second may be missing.
    """
    if as_json and as_csv:
        raise click.UsageError("choose one of `--json` and `--csv`")
    now = time.time()
    try:
        begin = begin_of(since, now)
    except InvalidRequest as exc:
        raise click.UsageError(f"--{exc.message}") from exc
    rows = _rows(begin, now)
    found = report(rows, begin, now, by)
    if as_json:
        import msgspec

        output.show(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    elif as_csv:
        output.show(_csv(found))
    else:
        _print(found, rows)


def _rows(since: float, until: float) -> list[UsageRow]:
    file = paths().store_file
    if not file.exists():
        return []
    with read_only(file) as connection:
        return list(ledger.between(connection, since, until)) if ledger.is_in(connection) else []


def _csv(found: Report) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([found.by, *_COLUMNS])
    for row in found.rows:
        writer.writerow([_for_spreadsheet(row.key), *(getattr(row, name) for name in _COLUMNS)])
    return text.getvalue().rstrip("\n")


def _for_spreadsheet(key: str) -> str:
    """A client chooses its name; a spreadsheet would run one that begins like a formula."""
    return f"'{key}" if key.startswith(("=", "+", "-", "@")) else key


def _print(found: Report, rows: list[UsageRow]) -> None:
    if not rows:
        output.say(f"no requests are recorded since {found.since[:16]}")
        return
    from rich.console import Console

    terminal = sys.stdout.isatty()
    console = Console(no_color=not output.wants_colour(sys.stdout), highlight=False)
    wide = console.options.update(max_width=1000)
    for bar in (_BAR, _BAR // 2, 0) if terminal else (0,):
        table = _table(found, bar=bar, box=terminal)
        width = console.measure(table, options=wide).maximum
        if width <= console.width:
            break
    console.width = max(console.width, width)  # a figure is never cut
    console.print(table)
    for line in _notes(found, rows):
        output.say(line)


def _table(found: Report, *, bar: int, box: bool) -> "Table":
    """The report, with bars of at most `bar` characters for the tokens."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD if box else None, show_footer=True, pad_edge=False)
    table.add_column(found.by, "total", no_wrap=True)
    for name, title in zip(_COLUMNS, _TITLES, strict=True):
        table.add_column(title, _cell(found.total, name), justify="right", no_wrap=True)
    if bar:
        table.add_column("", no_wrap=True)
    most = max((_tokens(row) for row in found.rows), default=0)
    for row in found.rows:
        cells: list[Text | str] = [Text(output.printable(row.key)), *(_cell(row, name) for name in _COLUMNS)]
        if bar:
            cells.append(Text("█" * round(bar * _tokens(row) / most) if most else "", style="cyan"))
        table.add_row(*cells)
    return table


_TITLES = ("requests", "errors", "input", "cache read", "cache write", "output", "USD")


def _cell(figures: Figures, name: str) -> str:
    value = getattr(figures, name)
    if value is None:
        return "unknown"
    if name != "cost_usd":
        return f"{value:,}"
    return f"{value:,.2f}" if value >= 1 or not value else f"{value:.4f}"


def _tokens(row: GroupFigures) -> int:
    counts = (row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens)
    return sum(count or 0 for count in counts)


def _notes(found: Report, rows: list[UsageRow]) -> list[str]:
    """What the figures are: who paid, and where the prices come from."""
    from claude_proxy import prices

    source = prices.source()
    lines = [f"list prices of {source.library}, newest price change {source.newest_change}"]
    plans = {row.plan for row in rows if row.tokens}
    if plans == {True}:
        lines.append("a plan login paid: USD is what the API would have cost")
    elif True in plans:
        lines.append("a plan login paid for a part: for that, USD is what the API would have cost")
    if unknown := sorted({row.model or "unknown" for row in rows if row.tokens and prices.cost(row) is None}):
        lines.append(f"no price is known of {', '.join(map(output.printable, unknown[:5]))}")
    return lines
