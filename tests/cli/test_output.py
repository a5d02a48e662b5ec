import io
import re
import sys

import pytest

from claude_proxy.cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_an_error_and_its_hint_go_to_stderr_without_colours_where_nobody_looks(capsys: pytest.CaptureFixture[str]):
    output.error("no", "do this")
    output.warn("careful")
    output.show("data")
    assert capsys.readouterr() == ("data\n", "error: no\nhint: do this\nwarning: careful\n")


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_a_terminal_has_colours_unless_its_user_wants_none(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    output.error("no")
    assert ("\x1b[" in terminal.getvalue()) is coloured


def test_a_stream_that_is_closed_or_absent_has_no_colours():
    closed = io.StringIO()
    closed.close()
    assert not output.wants_colour(closed)
    assert not output.wants_colour(None)  # type: ignore[arg-type] # what pythonw has


def test_columns_stand_below_each_other_and_the_last_keeps_its_length():
    assert output.columns([["a", "bb", "c"], ["aaa", "b", "cc"]]) == ["a    bb  c", "aaa  b   cc"]
    assert output.columns([["alone"]]) == ["alone"]


def test_foreign_text_cannot_act_on_the_terminal_and_shows_no_secret(capsys: pytest.CaptureFixture[str]):
    (line,) = output.columns([["claude-x\x1b]0;title\x07", "a\nb\u202e sk-ant-api03-abcdefgh"]])
    assert line == "claude-x\\x1b]0;title\\x07  a\\nb\\u202e sk-ant-***"
    output.error("a\x1b[2J\nb\r", "c\x9b")
    output.warn("d\ne")
    assert capsys.readouterr().err == "error: a\\x1b[2J\nb\\r\nhint: c\\x9b\nwarning: d\\ne\n"


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_table_is_styled_on_a_terminal_only_and_its_text_is_made_printable(
    no_color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        output.table(["NAME", "DETAIL"], [["one", "\x1b[2Jtext"], ["two", "[bold]word"]])
        text = stream.getvalue()
        assert "\x1b[2J" not in text
        assert "[bold]word" in text
        assert ("\x1b[1m" in text) == stream.isatty()
        assert not re.search(r"\x1b\[(?:\d;)?3\d", text)


def test_progress_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        with output.progress("checking"):
            pass
        assert ("checking" in stream.getvalue()) == stream.isatty()
