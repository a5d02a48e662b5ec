"""Output for people: data on stdout, everything else on stderr, colours only on a terminal.

Text from elsewhere (upstream, a keyring, a file) may hold escape sequences and secrets. `error`, `warn`, `columns` and
`table` remove both; callers of `say` and `show` pass such text through `printable`.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

import click

from claude_proxy.log import one_line, redacted


def say(text: str) -> None:
    """Print a line to stderr."""
    click.echo(text, err=True, color=wants_colour(sys.stderr))


def error(message: str, hint: str | None = None) -> None:
    """Print `error: …` and, below it, `hint: …`. Line breaks are kept."""
    say(f"{click.style('error:', fg='red', bold=True)} {_printable_lines(message)}")
    if hint:
        say(f"{click.style('hint:', fg='cyan')} {_printable_lines(hint)}")


def warn(message: str) -> None:
    """Print `warning: …`."""
    say(f"{click.style('warning:', fg='yellow')} {printable(message)}")


def show(text: str = "") -> None:
    """Print a line to stdout."""
    click.echo(text, color=wants_colour(sys.stdout))


def wants_colour(stream: TextIO) -> bool:
    """Whether `stream` is a terminal, and its user has not set NO_COLOR (https://no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def is_terminal(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that can do more than print lines."""
    with contextlib.suppress(ValueError, AttributeError):
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    return False


def columns(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """`rows` as lines with aligned columns; each cell is made printable."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        gap.join(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)) + gap + row[-1]
        if len(row) > 1
        else row[0]
        for row in rows
    ]


@contextlib.contextmanager
def progress(text: str) -> Iterator[None]:
    """Show on a terminal that something is going on, such as `checking`, until the end of the block."""
    if not is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console

    console = Console(stderr=True, no_color=not wants_colour(sys.stderr), highlight=False)
    with console.status(printable(text)):
        yield


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to stdout: fitted to the terminal's width and with a styled head, or as plain columns elsewhere."""
    if not sys.stdout.isatty():
        for line in columns([head, *rows]):
            show(line)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    Console(no_color=not wants_colour(sys.stdout), highlight=False).print(made)


def printable(text: str) -> str:
    """`text` as one line without secrets, control characters and escape sequences."""
    return one_line(redacted(text))


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
