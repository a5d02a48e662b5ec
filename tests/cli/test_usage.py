import asyncio
import csv
import io
import json
import time
from pathlib import Path

import pytest
from rich.console import Console

from claude_proxy.cli import usage as command
from claude_proxy.paths import paths
from claude_proxy.server.usage_report import report
from claude_proxy.store.store import Store
from claude_proxy.store.usage import UsageRow
from tests.cli.conftest import Run
from tests.store.test_usage import row as plain_row


def record(*rows: UsageRow) -> None:
    async def write() -> None:
        store = Store(paths().store_file)
        await store.usage.add(rows)
        await store.close()

    asyncio.run(write())


def row(**fields: object) -> UsageRow:
    return plain_row(0, **{"time": time.time() - 60, "model": "claude-opus-5-5", **fields})


def test_without_a_ledger_nothing_is_shown_and_the_json_is_whole(run: Run):
    done = run("usage")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("no requests are recorded since ")
    found = json.loads(run("usage", "--json").stdout)
    assert found["rows"] == []
    assert found["total"]["requests"] == 0


def test_a_table_is_plain_in_a_pipe_and_notes_go_to_stderr(run: Run):
    record(row(), row(client="aider", plan=True, error="timeout"))
    done = run("usage", "--by", "client")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert [line.split() for line in done.stdout.splitlines()][1:] == [
        ["aider", "1", "1", "10", "200", "3,000", "40,000", "0.8151"],
        ["curl", "1", "0", "10", "200", "3,000", "40,000", "0.8151"],
        ["total", "2", "1", "20", "400", "6,000", "80,000", "1.63"],
    ]
    assert "list prices of genai-prices" in done.stderr
    assert "what the API would have cost" in done.stderr


def test_a_price_that_is_not_known_is_shown_as_unknown(run: Run):
    record(row(model="claude-of-tomorrow"))
    done = run("usage", "--by", "model")
    assert done.stdout.splitlines()[1].split()[-1] == "unknown"
    assert "no price is known of claude-of-tomorrow" in done.stderr
    assert "would have cost" not in done.stderr


def test_the_json_is_the_report(run: Run):
    record(row(), row(time=time.time() - 10 * 86400))
    found = json.loads(run("usage", "--json", "--since", "30d", "--by", "model").stdout)
    assert (found["by"], found["total"]["requests"], found["rows"][0]["key"]) == ("model", 2, "claude-opus-5-5")
    assert json.loads(run("usage", "--json").stdout)["total"]["requests"] == 1


def test_the_csv_has_a_row_for_each_group_and_no_formula(run: Run):
    record(row(client="=cmd()"), row(model="claude-of-tomorrow", client="b", input_tokens=None))
    lines = list(csv.reader(io.StringIO(run("usage", "--csv", "--by", "client").stdout)))
    assert lines[0][:3] == ["client", "requests", "errors"]
    assert lines[1][:2] == ["'=cmd()", "1"]
    assert lines[2] == ["b", "1", "0", "", "200", "3000", "40000", ""]


@pytest.mark.parametrize("arguments", [("--since", "yesterday"), ("--by", "hour"), ("--json", "--csv")])
def test_what_cannot_be_meant_is_wrong_usage(run: Run, arguments: tuple[str, ...]):
    done = run("usage", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


def test_a_name_cannot_act_on_the_terminal(run: Run):
    record(row(client="a\x1b[2Jb[red]"))
    done = run("usage", "--by", "client")
    assert "\x1b" not in done.stdout
    assert "[red]" in done.stdout


@pytest.mark.parametrize("no_color", [True, False])
def test_on_a_terminal_there_are_bars_and_colours_unless_they_are_unwanted(no_color: bool, tmp_path: Path):
    rows = [row(), row(client="b", output_tokens=20_000)]
    console = Console(force_terminal=True, no_color=no_color, width=140, file=io.StringIO(), legacy_windows=False)
    console.print(command._table(report(rows, 0, time.time(), "client"), bar=20, box=True))
    text = console.file.getvalue()  # type: ignore[attr-defined] # it is the StringIO above
    assert text.count("█") == 31
    assert ("\x1b[36m" in text) is not no_color


def test_a_damaged_ledger_is_an_error_that_says_so(run: Run):
    file = paths().store_file
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.write_bytes(b"no database" * 1000)
    done = run("usage")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the store cannot be used: the file is damaged\n"


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_no_figure_is_cut_on_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [row(input_tokens=123_456_789)]
    command._print(report(rows, 0, time.time(), "model"), rows)
    assert "123,456,789" in terminal.getvalue()
    assert "claude-opus-5-5" in terminal.getvalue()
    assert "…" not in terminal.getvalue()
