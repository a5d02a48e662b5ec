"""The daemon's own event loop: what holds on asyncio's must hold on uvloop's, TLS and tunnels above all."""

import asyncio
import inspect
from collections.abc import Coroutine
from pathlib import Path

import pytest

from tests.transport import test_dial
from tests.transport.test_dial import authority
from tests.upstream.contract import BackendContract
from tests.upstream.test_anthropic import backend

uvloop = pytest.importorskip("uvloop", reason="uvloop is not for this platform")

__all__ = ["authority"]  # a fixture, which pytest finds here

WITHOUT_PARAMETERS = [
    name
    for name, test in inspect.getmembers(BackendContract, inspect.iscoroutinefunction)
    if name.startswith("test_") and len(inspect.signature(test).parameters) == 1
]


def run(test: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test)


class OnUvloop(BackendContract):
    backend = staticmethod(backend)  # type: ignore[assignment] # mypy sees a method


@pytest.mark.parametrize("name", WITHOUT_PARAMETERS)
def test_the_contract_holds(name: str) -> None:
    run(getattr(OnUvloop(), name)())


def test_tls_is_verified(authority: Path) -> None:
    run(test_dial.test_an_untrusted_certificate_ends_the_attempt(authority))
    run(test_dial.test_ssl_cert_file_names_the_authorities_to_trust(authority))


def test_a_tunnel_carries_tls(authority: Path) -> None:
    run(test_dial.test_a_tunnel_through_a_proxy_carries_tls_to_upstream_itself(authority))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_connection_is_watched(host: str) -> None:
    run(test_dial.test_a_connection_is_watched_however_it_was_made(host))
