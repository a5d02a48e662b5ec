import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

import aiohttp
import pytest

from claude_proxy.config import Config
from claude_proxy.errors import ConfigError, ServiceError
from claude_proxy.server import binding
from claude_proxy.server.binding import address, bind, bind_unix, check_reachable
from tests.server.conftest import Serve


def test_a_port_that_somebody_listens_on_stays_theirs() -> None:
    with contextlib.closing(bind("127.0.0.1", 0)[0]) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} on 127.0.0.1 is already in use"):
            bind("127.0.0.1", port)


def test_localhost_is_both_families_on_one_port() -> None:
    made = bind("localhost", 0)
    assert len({each.getsockname()[1] for each in made}) == 1
    assert made[0].family == socket.AF_INET
    assert all(each.getsockname()[0] in ("127.0.0.1", "::1") for each in made)
    for each in made:
        each.close()


def test_a_port_taken_in_the_second_family_frees_the_first() -> None:
    with contextlib.closing(bind("::1", 0)[0]) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError):
            bind("localhost", port)
        bind("127.0.0.1", port)[0].close()


def test_an_address_that_is_not_here_is_explained() -> None:
    with pytest.raises(ServiceError, match="cannot listen on"):
        bind("127.0.0.1.1", 0)


def test_the_address_is_what_a_client_is_given() -> None:
    for host, start in (
        ("127.0.0.1", "http://127.0.0.1:"),
        ("::1", "http://[::1]:"),
        ("localhost", "http://localhost:"),
    ):
        made = bind(host, 0)
        assert address(made[0], host).startswith(start)
        for each in made:
            each.close()


# ------------------------------------------------------------------------------------------------- unix sockets


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "run" / "door.sock"


def test_a_unix_socket_is_for_this_user_alone_and_goes_with_the_server(place: Path) -> None:
    with bind_unix(str(place)) as made:
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
        assert address(made, "127.0.0.1") == f"unix:{place}"
    assert not place.exists()


def test_no_directory_that_is_made_for_it_is_open_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    with bind_unix(str(tmp_path / "a" / "b" / "socket")):
        pass
    os.umask(before)
    assert [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a", "a/b")] == [0o700, 0o700]


def test_a_socket_that_a_dead_server_left_is_replaced(place: Path) -> None:
    place.parent.mkdir(mode=0o700)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(place))
    with bind_unix(str(place)):
        pass


def test_a_socket_that_somebody_listens_on_stays(place: Path) -> None:
    with bind_unix(str(place)):
        with pytest.raises(ServiceError, match="listens on"), bind_unix(str(place)):
            pass
        assert place.exists()


def test_a_file_that_is_no_socket_of_ours_stays(place: Path) -> None:
    place.parent.mkdir(mode=0o700)
    place.write_text("precious")
    with pytest.raises(ConfigError, match="not a socket of claude-proxy"), bind_unix(str(place)):
        pass
    assert place.read_text() == "precious"


def test_a_place_that_others_can_change_is_refused(place: Path) -> None:
    place.parent.mkdir()
    place.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="others can change"), bind_unix(str(place)):
        pass


def test_a_path_that_is_too_long_is_explained(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ConfigError, match="cannot be used"), bind_unix(str(tmp_path / ("x" * 200))):
        pass


async def test_clients_come_in_by_the_unix_socket(serve: Serve, place: Path) -> None:
    with bind_unix(str(place)) as made:
        async with serve() as served, aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(place))) as client:
            await served.server.listen(made)
            assert (await client.get("http://localhost/health")).status == 200
            assert (await client.get("http://evil.com/health")).status == 403


def test_a_free_port_is_free_in_both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = binding._bound
    refusals = [OSError(errno.EADDRINUSE, "in use")]

    def second_family_is_unlucky_once(family: int, address: str, port: int) -> socket.socket:
        if family == socket.AF_INET6 and refusals:
            raise refusals.pop()
        return bound(family, address, port)

    monkeypatch.setattr(binding, "_bound", second_family_is_unlucky_once)
    made = binding.bind("localhost", 0)
    assert len({each.getsockname()[1] for each in made}) == 1
    for each in made:
        each.close()


def test_a_machine_without_ipv6_has_a_localhost_of_one_family(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = binding._bound

    def without_ipv6(family: int, address: str, port: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        return bound(family, address, port)

    monkeypatch.setattr(binding, "_bound", without_ipv6)
    (only,) = binding.bind("localhost", 0)
    assert only.family == socket.AF_INET
    only.close()


@pytest.mark.parametrize(("family", "literal"), [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
def test_a_socket_that_others_can_reach_needs_a_key(family: int, literal: str) -> None:
    with socket.socket(family) as given:
        given.bind((literal, 0))
        with pytest.raises(ConfigError, match="other machines can reach"):
            check_reachable([given], Config())
        check_reachable([given], Config(api_key_file="/key"))
        assert "localhost" not in address(given, "localhost")


def test_loopback_and_unix_sockets_need_no_key() -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.2", 0))
        check_reachable([tcp, unix], Config())
