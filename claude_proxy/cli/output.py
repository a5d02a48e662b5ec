"""What a person sees: data on stdout, everything else on stderr, colours only where someone looks at them."""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import click


def say(text: str) -> None:
    """A remark for the person at the terminal."""
    click.echo(text, err=True, color=wants_colour(sys.stderr))


def error(message: str, hint: str | None = None) -> None:
    """`error: …` and, below it, `hint: …`."""
    say(f"{click.style('error:', fg='red', bold=True)} {message}")
    if hint:
        say(f"{click.style('hint:', fg='cyan')} {hint}")


def warn(message: str) -> None:
    say(f"{click.style('warning:', fg='yellow')} {message}")


def show(text: str = "") -> None:
    """A line of the command's own output."""
    click.echo(text, color=wants_colour(sys.stdout))


def wants_colour(stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose user did not ask for NO_COLOR (https://no-color.org)."""
    with contextlib.suppress(ValueError, AttributeError):
        return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return False


def columns(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """`rows` as lines whose cells stand below each other; the last column keeps its length."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        gap.join(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)) + gap + row[-1]
        if len(row) > 1
        else row[0]
        for row in rows
    ]
