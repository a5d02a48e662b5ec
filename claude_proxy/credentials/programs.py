"""Other programs that know about credentials: where they are, their environment, and running one for its output."""

import contextlib
import os
import select
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Variables that choose an account or an address. A program asked about its own stored login must not see them.
_ACCOUNT_VARIABLES = (
    "ANTHROPIC_",
    "CLAUDE_PROXY_",
    "CLAUDE_CODE_OAUTH_",
    "CLAUDE_CODE_USE_",
    "CLAUDE_CODE_API_KEY_",
    "CLAUDE_CODE_CUSTOM_OAUTH_",
    "OPENAI_",
)
# Where installers put programs that the short PATH of a service does not name.
_USER_DIRECTORIES = (".local/bin", ".claude/local", "bin", ".npm-global/bin", ".bun/bin", "go/bin")
_SYSTEM_DIRECTORIES = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin")


class ProgramError(Exception):
    """A program could not be run, or printed too much; the text says why and quotes nothing that it printed."""


class ProgramTimeout(ProgramError):
    """A program did not finish in time, and was killed."""


@dataclass(frozen=True)
class ProgramResult:
    code: int
    stdout: bytes = field(repr=False)  # may be a secret


def without_secrets(environ: Mapping[str, str], keep: tuple[str, ...] = ()) -> dict[str, str]:
    """`environ` without keys, tokens and addresses, except for the names in `keep`."""
    return {name: text for name, text in environ.items() if name in keep or not name.startswith(_ACCOUNT_VARIABLES)}


def find_program(name: str, environ: Mapping[str, str], home: Path) -> Path | None:
    """The path of `name`: on the PATH, else where its installers put it. Relative PATH entries are ignored."""
    on_path = [entry for entry in environ.get("PATH", "").split(os.pathsep) if Path(entry).is_absolute()]
    of_user = [str(home / directory) for directory in _USER_DIRECTORIES]
    found = shutil.which(name, path=os.pathsep.join([*on_path, *of_user, *_SYSTEM_DIRECTORIES]))
    return Path(found) if found else None


def run_program(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str],
    cwd: Path | None,
    timeout: float,
    max_output: int,
    stdin: bytes = b"",
    own_session: bool = True,
) -> ProgramResult:
    """Run `command` to its end and return its exit code and what it wrote to stdout. Blocks.

    Raises ProgramTimeout after `timeout` seconds, ProgramError when it cannot be started or writes more than
    `max_output` bytes; it is killed then. With `own_session` everything it started in the same session is killed
    too, and it has no terminal. Its stderr is discarded.
    """
    end = time.monotonic() + timeout
    process = _start(command, environ, cwd, bool(stdin), own_session)
    with process:
        try:
            stdout = _exchange(process, stdin, max_output, end)
            code = process.wait(max(0.0, end - time.monotonic()))
        except BaseException as exc:
            _kill(process, own_session)
            if isinstance(exc, subprocess.TimeoutExpired):
                raise ProgramTimeout(f"it did not finish within {timeout:g} s") from None
            raise
    return ProgramResult(code, stdout)


def _start(
    command: Sequence[str | Path], environ: Mapping[str, str], cwd: Path | None, has_input: bool, own_session: bool
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(  # noqa: S603 - the user's own programs, never a string from elsewhere
            command,
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            cwd=cwd,
            start_new_session=own_session,
        )
    except OSError as exc:
        raise ProgramError(exc.strerror or type(exc).__name__) from None
    except ValueError:  # a NUL or a lone surrogate; the error's text may quote the command, and so is not chained
        raise ProgramError("it holds a character that cannot be passed to a program") from None


if sys.platform == "win32":  # whose selectors take no pipes: here the bound is checked at the end

    def _exchange(process: "subprocess.Popen[bytes]", stdin: bytes, limit: int, end: float) -> bytes:
        stdout, _ = process.communicate(stdin or None, timeout=max(0.0, end - time.monotonic()))
        _check_length(stdout, limit)
        return stdout

else:

    def _exchange(process: "subprocess.Popen[bytes]", stdin: bytes, limit: int, end: float) -> bytes:
        """Write `stdin` and read stdout to its end, both at once. Raises TimeoutExpired and ProgramError."""
        stdout, rest = bytearray(), memoryview(stdin)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type] # PIPE was asked for
            if process.stdin:
                selector.register(process.stdin, selectors.EVENT_WRITE)
            while selector.get_map():
                ready = selector.select(max(0.0, end - time.monotonic()))
                if not ready:
                    raise subprocess.TimeoutExpired(process.args, 0)
                for key, _ in ready:
                    if key.fileobj is process.stdin:
                        rest = _write_some(key.fd, rest)
                        if not rest:
                            selector.unregister(process.stdin)
                            process.stdin.close()
                    elif data := os.read(key.fd, 65536):
                        stdout += data
                        _check_length(stdout, limit)
                    else:
                        selector.unregister(key.fileobj)
        return bytes(stdout)

    def _write_some(descriptor: int, data: memoryview) -> memoryview:
        """Write as much of `data` as a writable pipe takes without blocking; what is left."""
        try:
            return data[os.write(descriptor, data[: select.PIPE_BUF]) :]
        except BrokenPipeError:  # the program does not read its input
            return data[:0]


def _check_length(output: bytes | bytearray, limit: int) -> None:
    if len(output) > limit:
        raise ProgramError(f"it printed more than {limit} bytes")


def _kill(process: "subprocess.Popen[bytes]", own_session: bool) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        if own_session and sys.platform != "win32":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
