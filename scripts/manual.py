"""The manual page and the completion scripts in share/, which an installation puts where `man` and the shells look."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from claude_proxy import __version__
from claude_proxy.cli.main import COMMANDS, cli
from claude_proxy.config import SETTINGS, environment_names
from claude_proxy.setting import as_text

SHARE = Path(__file__).parents[1] / "share"
_COMPLETIONS = {
    "bash": "bash-completion/completions/claude-proxy",
    "zsh": "zsh/site-functions/_claude-proxy",
    "fish": "fish/vendor_completions.d/claude-proxy.fish",
}
_EXIT_CODES = {
    "0": "done",
    "1": "it failed; stderr says why and what to do",
    "2": "the command line or a setting is wrong",
    "3": "the daemon is not running (status)",
    "4": "the daemon runs and does not answer (status)",
    "130": "interrupted",
}


def files() -> dict[Path, str]:
    """Each file with its text, as the code has it now."""
    made = {SHARE / "man/man1/claude-proxy.1": "\n".join(_manual()) + "\n"}
    for shell, place in _COMPLETIONS.items():
        completion = get_completion_class(shell)
        assert completion is not None
        maker = completion(cli, {}, "claude-proxy", "_CLAUDE_PROXY_COMPLETE")
        made[SHARE / place] = (maker.source_template % maker.source_vars()).strip() + "\n"
    return made


def _manual() -> Iterator[str]:
    yield f'.TH CLAUDE-PROXY 1 "" "claude-proxy {__version__}" "User Commands"'
    yield ".SH NAME"
    yield r"claude-proxy \- an OpenAI-compatible API for Claude on this machine"
    yield ".SH SYNOPSIS"
    yield ".B claude-proxy"
    yield ".I COMMAND"
    yield "[OPTIONS] [ARGUMENTS]"
    yield ".SH DESCRIPTION"
    yield _text(
        "Tools that speak OpenAI's API run on Claude, with the login that the Claude CLI has stored. The daemon"
    )
    yield _text("listens on this machine only; a tool needs one changed base URL, http://localhost:8000/openai/v1.")
    for title, section in COMMANDS.items():
        yield f".SH {title.upper()}"
        for name in section:
            command = cli.get_command(click.Context(cli), name)
            assert command is not None
            yield from _command(f"claude-proxy {name}", command)
    yield ".SH SETTINGS"
    yield _text(
        "Commands that use settings take each as a flag. Flags win over the environment, and that over the file."
    )
    for item in SETTINGS:
        yield ".TP"
        yield f".B {_text(item.flag)}"
        variables = ", ".join(environment_names(item.name))
        default = f" Default: {as_text(item.default)}." if as_text(item.default) else ""
        yield _text(f"{item.help}. Environment: {variables}.{default}")
    yield ".SH EXIT STATUS"
    for code, meaning in _EXIT_CODES.items():
        yield ".TP"
        yield f".B {code}"
        yield _text(meaning)


def _command(path: str, command: click.Command) -> Iterator[str]:
    yield ".SS " + _text(" ".join([path, *_usage(command)]))
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        literal = paragraph.startswith("\b")
        lines = paragraph.removeprefix("\b").strip("\n").split("\n")
        yield ".PP"
        yield from ([".nf", *map(_text, lines), ".fi"] if literal else [_text(" ".join(lines))])
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden and not _is_setting(parameter):
            yield ".TP"
            yield f".B {_text(', '.join([*parameter.opts, *parameter.secondary_opts]))}"
            yield _text(parameter.help or "")
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            if inner is not None and not inner.hidden:
                yield from _command(f"{path} {name}", inner)


def _usage(command: click.Command) -> list[str]:
    return [piece for piece in command.collect_usage_pieces(click.Context(command)) if piece]


def _is_setting(option: click.Option) -> bool:
    return option.name in {item.name for item in SETTINGS}


def _text(text: str) -> str:
    """`text` as one line of roff, in which nothing is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text
