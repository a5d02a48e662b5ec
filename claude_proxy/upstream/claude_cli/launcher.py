"""Runs a program in place of itself, after asking the kernel to kill it when the daemon dies.

    python -I -S launcher.py PARENT PROGRAM ARGUMENT...

A CLI in the middle of a request notices neither the end of its input nor of its parent: it would go on for up to
16 s after a kill -9 of the daemon. Linux only; elsewhere `watchdog.py` does it. Run as a script, without the package.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    parent, program = int(arguments[0]), arguments[1]
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        return 1
    try:
        os.execv(program, arguments[1:])  # noqa: S606 - no shell is wanted
    except OSError as exc:
        sys.stderr.write(f"{program}: {exc.strerror}\n")
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
