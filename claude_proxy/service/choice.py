"""Which service manager this machine has, and whether our service is installed in it."""

import sys
from collections.abc import Mapping

from claude_proxy.service.supervisor import Supervisor


def supervisor(environ: Mapping[str, str]) -> Supervisor | None:
    """The service manager of this platform; None where none is supported."""
    platform = str(sys.platform)  # str(), or type checkers drop the branches of other systems
    if platform == "linux":
        from claude_proxy.service.systemd import Systemd  # noqa: PLC0415 - only one of the two is used

        return Systemd(environ)
    if platform == "darwin":
        from claude_proxy.service.launchd import Launchd  # noqa: PLC0415

        return Launchd(environ)
    return None


def installed(environ: Mapping[str, str]) -> Supervisor | None:
    """The service manager if our service is installed in it."""
    here = supervisor(environ)
    return here if here and here.is_installed() else None
