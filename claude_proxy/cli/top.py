"""`claude-proxy top`: requests as they happen, from the feed of the daemon's page."""

import http.client
import json
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from claude_proxy.cli import output
from claude_proxy.errors import ServiceError
from claude_proxy.paths import paths
from claude_proxy.service import daemon, probe
from claude_proxy.service.record import Record

if TYPE_CHECKING:
    from rich.table import Table

SILENCE = 30.0  # seconds; the feed tells the state every five
REFRESH = 0.5
MAX_ROWS = 200
HEAD = ("TIME", "CLIENT", "MODEL", "DIALECT", "STATUS", "FIRST", "TOTAL", "INPUT", "CACHED", "OUTPUT", "WARNINGS")
UNKNOWN = "-"

Event = tuple[str, Any]


@click.command(short_help="Show requests as they happen.")
@click.option("--once", is_flag=True, help="print the last requests, and end")
def top(*, once: bool) -> None:
    """Show requests as they happen: a live table on a terminal, a line for each request elsewhere. Ctrl-C ends it."""
    record = daemon.find(paths())
    if record is None:
        raise ServiceError("the daemon is not running", hint="`claude-proxy start` starts it")
    events = follow(record)
    try:
        if once:
            _print_once(events)
        elif sys.stdout.isatty():
            _show_live(events)
        else:
            _print_lines(events)
    except KeyboardInterrupt:
        return


def follow(record: Record) -> Iterator[Event]:
    """The events of the daemon's feed, each with its name, until the daemon stops. Raises ServiceError."""
    connection = probe.connect(record, SILENCE)
    try:
        connection.request("GET", "/page/events", headers={**probe.HEADERS, **probe.key_headers(record.key_file)})
        response = connection.getresponse()
        if response.status != 200:
            raise ServiceError(f"the daemon refuses its feed: status {response.status}", hint="see `claude-proxy logs`")
        yield from read_events(response)
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise ServiceError(f"the daemon does not answer: {exc}", hint="see `claude-proxy logs`") from exc
    finally:
        connection.close()


def read_events(lines: Iterable[bytes]) -> Iterator[Event]:
    """Server-sent events as name and decoded data."""
    name = ""
    for line in lines:
        if line.startswith(b"event: "):
            name = line[7:].strip().decode()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


@dataclass
class Screen:
    """What the table shows."""

    state: dict[str, Any] = field(default_factory=dict)
    open: list[dict[str, Any]] = field(default_factory=list)
    done: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MAX_ROWS))

    def take(self, event: Event) -> None:
        match event:
            case ("state", dict(state)):
                self.state = state
            case ("open", list(rows)):
                self.open = rows
            case ("done", dict(row)):
                self.done.append(row)

    def rows(self, count: int) -> list[list[str]]:
        """At most `count` rows: open requests, oldest first, then those that have ended, newest first."""
        now = time.time()
        running = [cells({**row, "status": "open", "duration": now - row["started"]}) for row in self.open]
        return [*running, *(cells(row) for row in reversed(self.done))][:count]


def cells(row: dict[str, Any]) -> list[str]:
    """One row of the table; what is not known is a dash."""
    known = [row.get(f"{kind}_tokens") for kind in ("input", "cache_read", "cache_write")]
    prompt = sum(count for count in known if count is not None) if any(count is not None for count in known) else None
    cached = f"{100 * known[1] / prompt:.0f} %" if prompt and known[1] is not None else UNKNOWN
    texts = (
        time.strftime("%H:%M:%S", time.localtime(row["started"])),
        row["client"],
        row.get("model") or f"{row['method']} {row['path']}",
        row["dialect"],
        "left" if row.get("left") else row.get("status") or UNKNOWN,
        _seconds(row.get("first_token")),
        _seconds(row.get("duration")),
        _count(prompt),
        cached,
        _count(row.get("output_tokens")),
        ", ".join(row.get("warnings", ())),
    )
    return [output.printable(str(text)) for text in texts]


def _seconds(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f} s"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _print_once(events: Iterator[Event]) -> None:
    """Print what the feed begins with: it tells everything it knows at once, and the state first."""
    screen = Screen()
    screen.take(next(events))
    expected = min(int(screen.state.get("requests", 0)), MAX_ROWS) + bool(screen.state.get("open_requests"))
    for _, event in zip(range(expected), events, strict=False):
        screen.take(event)
    output.table(HEAD, screen.rows(MAX_ROWS))


def _print_lines(events: Iterator[Event]) -> None:
    for name, row in events:
        if name == "done":
            output.show("  ".join(text for text in cells(row) if text))
            sys.stdout.flush()


def _show_live(events: Iterator[Event]) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(no_color=not output.wants_colour(sys.stdout), highlight=False)
    screen, arrived = Screen(), _in_thread(events)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(table(screen, console.height), refresh=True)
            try:
                event = arrived.get(timeout=REFRESH)
                while True:
                    if isinstance(event, BaseException):
                        raise event
                    if event is None:
                        raise ServiceError("the daemon has stopped")
                    screen.take(event)
                    event = arrived.get_nowait()
            except queue.Empty:
                continue


def _in_thread(events: Iterator[Event]) -> "queue.Queue[Event | BaseException | None]":
    """The events as they come, then None or the error that ended them. The table must not wait for an event."""
    arrived: queue.Queue[Event | BaseException | None] = queue.Queue(maxsize=1000)

    def read() -> None:
        try:
            for event in events:
                arrived.put(event)
            arrived.put(None)
        except BaseException as exc:  # noqa: BLE001 - raised again by the reader of the queue
            arrived.put(exc)

    threading.Thread(target=read, name="feed", daemon=True).start()
    return arrived


def table(screen: Screen, height: int) -> "Table":
    """The live table, as high as the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    state = screen.state
    title = f"claude-proxy {state.get('version', '')}  {state.get('base_url', '')}  {len(screen.open)} open"
    made = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    for name in HEAD:
        numeric = name in ("FIRST", "TOTAL", "INPUT", "CACHED", "OUTPUT")
        made.add_column(name.lower(), justify="right" if numeric else "left", no_wrap=True, overflow="ellipsis")
    for row in screen.rows(max(1, height - 5)):
        made.add_row(*_styled(row))
    return made


def _styled(row: Sequence[str]) -> "list[Any]":
    from rich.text import Text

    status = row[4]
    styles = {4: "yellow" if status in ("open", "left") else "green" if status < "400" else "red", 10: "yellow"}
    return [Text(text, style=styles.get(index, "")) for index, text in enumerate(row)]
