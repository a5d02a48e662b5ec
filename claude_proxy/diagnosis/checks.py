"""All checks, in their order. They block: a server calls them in a thread."""

from collections.abc import Callable, Iterator, Mapping

from claude_proxy.config import Config
from claude_proxy.diagnosis import account, backend, installation
from claude_proxy.diagnosis.check import Check, failed, run
from claude_proxy.errors import ProxyError
from claude_proxy.paths import Paths


def checks(load: Callable[[], Config], environ: Mapping[str, str], places: Paths) -> Iterator[Check]:
    """Check everything. Costs nothing, changes nothing. `load` reads the settings, and raises ProxyError."""
    yield installation.check_versions()
    try:
        config = load()
    except ProxyError as exc:
        yield failed("settings", exc)
        return
    yield installation.check_settings(config, places)
    yield run("files", lambda: installation.check_files(places))
    yield run("daemon", lambda: installation.check_daemon(config, environ, places))
    yield run("service", lambda: installation.check_service(environ))
    if config.simulator:
        yield Check("upstream", "note", "the built-in simulator: no account is needed")
        return
    credentials = list(account.check_credentials(config, environ))
    yield from credentials
    yield run("upstream", lambda: account.check_upstream(config, environ))
    yield run("backend", lambda: backend.check_backend(config, environ, places))
    if config.backend != "cli" and not any(check.state == "failed" for check in credentials):
        yield run("models", lambda: account.check_models(config, environ, places))
