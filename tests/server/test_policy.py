from claude_proxy.config import Config
from claude_proxy.server.policy import MAX_KNOWN_HOSTS, Policy


def test_the_key_is_never_shown() -> None:
    assert "the-key" not in repr(Policy.of(Config(), b"the-key-of-this-user"))


def test_renewing_takes_over_hosts_and_origins_and_keeps_the_key() -> None:
    policy = Policy.of(Config(allowed_hosts=("box.lan",)), b"the-key-of-this-user")
    assert policy.allows_host("box.lan")
    policy.renew(Config(allowed_origins=("https://good.example",)))
    assert not policy.allows_host("box.lan")
    assert policy.allows_origin("https://good.example:443")
    assert policy.key == b"the-key-of-this-user"


def test_the_known_hosts_are_bounded() -> None:
    policy = Policy.of(Config())
    for port in range(1000):
        assert policy.allows_host(f"localhost:{port}")
    assert len(policy.known_hosts) == MAX_KNOWN_HOSTS
