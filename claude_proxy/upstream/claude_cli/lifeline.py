"""Ties the life of CLI processes to the daemon's: none outlives it, however it ends."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Protocol

_HERE = Path(__file__).parent
_PYTHON = (sys.executable, "-I", "-S")


class Lifeline(Protocol):
    """How a process is started and watched."""

    def command(self, command: list[str]) -> list[str]:
        """The command that runs `command`, whose first element is an absolute path."""

    async def started(self, pid: int) -> None: ...

    def ended(self, pid: int) -> None: ...

    async def close(self) -> None:
        """Called once all processes have ended."""


class KernelLifeline:
    """The kernel kills a process when the thread that started it ends: the daemon's main thread (Linux)."""

    def command(self, command: list[str]) -> list[str]:
        return [*_PYTHON, str(_HERE / "launcher.py"), str(os.getpid()), *command]

    async def started(self, pid: int) -> None:
        pass

    def ended(self, pid: int) -> None:
        pass

    async def close(self) -> None:
        pass


class WatchdogLifeline:
    """One small program keeps a list of the processes and kills them when its input ends, which the daemon holds.

    A process that is not on the list yet has no request, and ends by itself when its own input does.
    """

    def __init__(self) -> None:
        self._watchdog: asyncio.subprocess.Process | None = None

    def command(self, command: list[str]) -> list[str]:
        return command

    async def started(self, pid: int) -> None:
        if self._watchdog is None or self._watchdog.returncode is not None:
            self._watchdog = await asyncio.create_subprocess_exec(
                *_PYTHON, str(_HERE / "watchdog.py"), stdin=asyncio.subprocess.PIPE, start_new_session=True
            )
        self._write(f"+{pid}\n")

    def ended(self, pid: int) -> None:
        self._write(f"-{pid}\n")

    async def close(self) -> None:
        if self._watchdog is not None:
            if self._watchdog.stdin is not None:
                self._watchdog.stdin.close()
            await self._watchdog.wait()

    def _write(self, line: str) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None and not self._watchdog.stdin.is_closing():
            self._watchdog.stdin.write(line.encode())


def lifeline(platform: str = sys.platform) -> Lifeline:
    """The lifeline for this system."""
    return KernelLifeline() if platform == "linux" else WatchdogLifeline()
