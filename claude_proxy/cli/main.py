"""The command line: a table of commands, each imported when it is called, and the exit codes of errors.

Exit codes: 0 success; 1 failure, and stderr says why; 2 the command line or a setting is wrong; 3 the daemon is not
running (`status`); 4 the daemon runs and does not answer (`status`); 130 interrupted. `run` and `logs` pass on the
exit code of the program they run.
"""

import importlib
import os
import sys
from typing import NamedTuple, NoReturn

import click
from click.shell_completion import CompletionItem

from claude_proxy import __version__
from claude_proxy.cli import output
from claude_proxy.errors import ConfigError, ProxyError, ServiceError

FAILURE = 1
USAGE = 2
NOT_RUNNING = 3
NOT_ANSWERING = 4
INTERRUPTED = 130


class Entry(NamedTuple):
    """A command's module and name, and its line in `--help`, which is shown without importing it."""

    target: str
    help: str


COMMANDS: dict[str, dict[str, Entry]] = {
    "The daemon": {
        "start": Entry("start:start", "Start the daemon in the background."),
        "stop": Entry("stop:stop", "Stop the daemon, after open answers have finished."),
        "restart": Entry("restart:restart", "Stop the daemon if it runs, and start it."),
        "status": Entry("status:status", "Show whether the daemon runs, and its figures."),
        "open": Entry("open:open_page", "Open the daemon's page in a browser."),
        "top": Entry("top:top", "Show requests as they happen."),
        "usage": Entry("usage:usage", "Show what requests have used, and its list price."),
        "logs": Entry("logs:logs", "Print the daemon's log."),
        "serve": Entry("serve:serve", "Run the daemon in the foreground, for service managers and containers."),
        "service": Entry("service:service", "Install the daemon as a user service (systemd, launchd)."),
    },
    "Use it": {
        "models": Entry("models:models", "List the models that can be used."),
        "explain": Entry("explain:explain", "Show how a request is translated, and why; nothing is sent."),
        "ask": Entry("ask:ask", "Ask one question through the daemon."),
        "run": Entry("run:run", "Run a command whose OpenAI client uses the daemon."),
        "env": Entry("env:env", "Print the variables that point OpenAI clients at the daemon."),
    },
    "Set it up": {
        "credentials": Entry("credentials:credentials", "Show the sources of credentials, and which one is used."),
        "responses": Entry("responses:responses", "List, show or delete the responses that are stored."),
        "config": Entry("config:config", "Show every setting, its value, and where it is set."),
        "doctor": Entry("doctor:doctor", "Check the installation, the daemon, upstream and the account."),
        "simulator": Entry("simulator:simulator", "Run the simulated Messages API: no account, no cost."),
        "completion": Entry("completion:completion", "Print the completion script of a shell."),
    },
}
_ENTRIES = {name: entry for section in COMMANDS.values() for name, entry in section.items()}


class LazyGroup(click.Group):
    """A group that imports only the command that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_ENTRIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _ENTRIES.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command = getattr(importlib.import_module(f"claude_proxy.cli.{module}"), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above is ours
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _ENTRIES and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], _ENTRIES, n=1)
            raise click.UsageError(
                f"no such command: {args[0]}" + (f"; did you mean `{close[0]}`?" if close else ""), ctx
            )
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in _ENTRIES if name.startswith(incomplete) and not incomplete.startswith("-")]
        if names:
            return [CompletionItem(name, help=_ENTRIES[name].help) for name in names]
        return click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in section.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Exit codes: 0 success, 1 failure, 2 wrong usage or setting, 3 not running, 4 no answer, 130 interrupted.",
)
@click.version_option(__version__, prog_name="claude-proxy", message="%(prog)s %(version)s")
def cli() -> None:
    """An OpenAI-compatible API for Claude on this machine, with the login of the Claude CLI.

    \b
    claude-proxy start                 # then set your tool's base URL to the one it prints
    claude-proxy start --simulator     # works without an account, costs nothing
    """


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows `?` instead; that is not an error.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = cli.main(prog_name="claude-proxy", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as exc:
        output.say(exc.format_message())
        return USAGE
    except click.UsageError as exc:
        path = exc.ctx.command_path if exc.ctx else "claude-proxy"
        output.error(_lower(exc.format_message()), f"see `{path} --help`")
        return USAGE
    except click.ClickException as exc:
        output.error(_lower(exc.format_message()))
        return FAILURE
    except ProxyError as exc:
        # Upstream's text is one line; only our own errors about the daemon quote several lines of its log.
        output.error(exc.message if isinstance(exc, ServiceError) else output.printable(exc.message), exc.hint)
        return USAGE if isinstance(exc, ConfigError) else FAILURE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`| head`). Discard what is buffered, or Python reports it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except OSError as exc:
        output.error(f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc))
        return FAILURE
    return code if isinstance(code, int) else 0


def _lower(message: str) -> str:
    """Click's message in our format: no capital letter, no full stop."""
    return message[:1].lower() + message[1:].rstrip(".") if message[1:2].islower() else message.rstrip(".")
