import pytest

from claude_proxy import config
from claude_proxy.cli.settings import as_arguments, as_text, flags_of
from claude_proxy.config import SETTINGS

FLAGS: dict[str, object] = {
    "port": "81",
    "simulator": True,
    "strict": False,
    "aliases": "gpt-4o=sonnet,o3=opus",
    "allowed_hosts": "a,b",
    "read_timeout": "2.5",
    "log_level": "debug",
}


def test_flags_survive_the_way_to_the_daemon():
    found = config.load(FLAGS, {})
    texts = flags_of(found)
    assert config.load(texts, {}) == found
    assert as_arguments(texts) == [
        "--port=81",
        "--simulator",
        "--aliases=gpt-4o=sonnet,o3=opus",
        "--no-strict",
        "--allowed-hosts=a,b",
        "--read-timeout=2.5",
        "--log-level=debug",
    ]


def test_what_no_flag_gave_is_not_passed_on():
    assert flags_of(config.load({}, {"CLAUDE_PROXY_PORT": "5"})) == {}


@pytest.mark.parametrize("item", SETTINGS, ids=lambda item: item.name)
def test_every_default_is_read_again_from_its_text(item: config.Setting):
    if text := as_text(item.default):
        assert getattr(config.load({item.name: text}, {}), item.name) == item.default
