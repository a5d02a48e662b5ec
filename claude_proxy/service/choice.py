"""Which service manager this machine has, and whether our service is installed there."""

import sys
from collections.abc import Mapping

from claude_proxy.service.supervisor import Supervisor


def supervisor(environ: Mapping[str, str]) -> Supervisor | None:
    """The service manager of this platform; None where there is none that we know."""
    platform = str(sys.platform)  # a word like any other: type checkers would drop the branches of other systems
    if platform == "linux":
        from claude_proxy.service.systemd import Systemd  # noqa: PLC0415 - one of the two is needed

        return Systemd(environ)
    if platform == "darwin":
        from claude_proxy.service.launchd import Launchd  # noqa: PLC0415

        return Launchd(environ)
    return None


def installed(environ: Mapping[str, str]) -> Supervisor | None:
    """The manager that has our service, if one has."""
    here = supervisor(environ)
    return here if here and here.is_installed() else None
