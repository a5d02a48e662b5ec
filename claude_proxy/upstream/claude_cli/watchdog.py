"""Kills the processes of a daemon that has died, where the kernel does not do it by itself (macOS, BSD).

    python -I -S watchdog.py        reads `+PID` and `-PID`, one a line, from its input

Its input is a pipe that only the daemon holds open, so it ends with the daemon, however that dies; each process that
is still on the list is then killed with its group. Run as a script, without the package.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable


def main(lines: Iterable[str]) -> None:
    """Follow the list to its end, then kill what is still on it."""
    running: set[int] = set()
    for line in lines:
        sign, number = line[:1], line[1:].strip()
        if not number.isdecimal():
            continue
        if sign == "+":
            running.add(int(number))
        elif sign == "-":
            running.discard(int(number))
    for pid in running:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C of the terminal is meant for the daemon, which goes first
    main(sys.stdin)
