"""The tables in docs/, printed from the code between markers: `<!-- table: NAME -->` … `<!-- /table -->`."""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_TABLE = re.compile(r"(?<=<!-- table: )(?P<name>\w+)( -->\n).*?(?=<!-- /table -->)", re.DOTALL)


def commands() -> Iterable[Sequence[str]]:
    from claude_proxy.cli.main import COMMANDS

    yield "Command", "What it does"
    for section in COMMANDS.values():
        for name, entry in section.items():
            yield f"`claude-proxy {name}`", entry.help


def settings() -> Iterable[Sequence[str]]:
    from claude_proxy.config import SETTINGS, environment_names
    from claude_proxy.setting import as_text

    yield "Setting", "Environment", "Default", "What it is"
    for item in SETTINGS:
        variables = ", ".join(f"`{name}`" for name in environment_names(item.name))
        default = as_text(item.default)
        yield f"`{item.name}`", variables, f"`{default}`" if default else "", item.help


def _parameters(dialect: str) -> Iterable[Sequence[str]]:
    from claude_proxy.dialects.catalog import DIALECTS

    rows = DIALECTS[dialect].parameters
    if all(row.theirs == "no" for row in rows):  # Anthropic's own endpoint has chat only
        yield "Parameter", "Here", "How"
        yield from ((f"`{row.name}`", row.fate, row.rule) for row in rows)
        return
    yield "Parameter", "Here", "How", "Anthropic's own OpenAI endpoint"
    yield from ((f"`{row.name}`", row.fate, row.rule, row.theirs) for row in rows)


TABLES: dict[str, Callable[[], Iterable[Sequence[str]]]] = {
    "commands": commands,
    "parameters": lambda: _parameters("chat"),
    "parameters_completions": lambda: _parameters("completions"),
    "parameters_responses": lambda: _parameters("responses"),
    "settings": settings,
}


def markdown(rows: Iterable[Sequence[str]]) -> str:
    """`rows` as a Markdown table; the first one is its head."""
    head, *body = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *body])


def current(text: str) -> str:
    """`text` with every table as the code has it now. Raises KeyError for a table that does not exist."""
    return _TABLE.sub(lambda found: found["name"] + found[2] + markdown(TABLES[found["name"]]()), text)


def main(arguments: Sequence[str]) -> int:
    from scripts import manual

    stale = [page for page in PAGES if current(page.read_text("utf-8")) != page.read_text("utf-8")]
    for page in stale:
        if "--check" in arguments:
            print(f"{page.relative_to(ROOT)}: a table is stale; run `scripts/docs`", file=sys.stderr)
        else:
            page.write_text(current(page.read_text("utf-8")), "utf-8")
    for file, text in manual.files().items():
        if file.exists() and file.read_text("utf-8") == text:
            continue
        stale.append(file)
        if "--check" in arguments:
            print(f"{file.relative_to(ROOT)} is stale; run `scripts/docs`", file=sys.stderr)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
