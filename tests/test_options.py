import dataclasses

from claude_proxy.config import SETTINGS, Config, load
from claude_proxy.options import Options


def test_the_settings_in_force_are_the_translation_s_options():
    settings = {
        "max_tokens": 5,
        "reasoning_text": False,
        "prompt_caching": False,
        "strict": True,
        "max_choices": 2,
        "fast_mode": True,
    }
    found = load(settings, {})
    assert isinstance(found, Options)
    assert {item.name: getattr(found, item.name) for item in dataclasses.fields(Options)} == settings


def test_the_defaults_are_those_of_the_settings():
    assert all(getattr(Config(), item.name) == getattr(Options(), item.name) for item in dataclasses.fields(Options))


def test_an_option_is_listed_among_the_settings_and_changes_without_a_restart():
    listed = {item.name: item for item in SETTINGS}
    assert all(listed[item.name].at_once for item in dataclasses.fields(Options))
