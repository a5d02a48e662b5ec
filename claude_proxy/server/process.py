"""Settings of the whole process: its event loop, memory, descriptors, and what others may read of it."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable

if sys.platform != "win32":
    import resource

KEPT_BLOCK = 4 * 1024 * 1024  # larger blocks go back to the system at once
KEPT_FREE = 16 * 1024 * 1024  # and so does free memory beyond that
MAX_DESCRIPTORS = 65536  # enough for one user; macOS refuses "unlimited"


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def relax_collector() -> None:
    """Run the garbage collector rarely, and not over what is loaded by now: it was a tenth of a small request's cost.

    A request leaves no large reference cycle behind (`tests/server/test_memory_release.py`), so collecting after every
    700 new objects, Python's default, finds little.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def keep_freed_memory() -> None:
    """Raise malloc's thresholds (glibc), so that memory freed by a large request is reused by the next one.

    By default it goes back to the system and is mapped again page by page: a third of what a request of 1 MB costs.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here

        m_trim_threshold, m_mmap_threshold = -1, -3
        with contextlib.suppress(AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(m_mmap_threshold, KEPT_BLOCK)
            mallopt(m_trim_threshold, KEPT_FREE)


def raise_descriptor_limit() -> int:
    """Raise the limit on open descriptors as far as the system allows; returns the new limit."""
    if sys.platform == "win32":
        return MAX_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft if 0 < soft < MAX_DESCRIPTORS else MAX_DESCRIPTORS


def keep_secrets_in_memory() -> None:
    """Disable core dumps and, on Linux, attaching by other processes of this user."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here

        pr_set_dumpable = 4
        ctypes.CDLL(None).prctl(pr_set_dumpable, 0, 0, 0, 0)
