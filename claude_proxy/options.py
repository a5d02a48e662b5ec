"""The user's settings that steer the translation; `Config` has them among its own."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from claude_proxy.setting import Count, setting


@dataclass(frozen=True)
class Options:
    """A new setting of the translation is a field here, and nothing else."""

    max_tokens: Count = setting(0, "upper bound for max_tokens; 0 leaves it to the model", at_once=True)
    reasoning_text: bool = setting(True, "return the model's thinking as `reasoning_content`", at_once=True)
    prompt_caching: bool = setting(True, "ask for automatic prompt caching, which OpenAI clients expect", at_once=True)
    strict: bool = setting(
        False, "refuse requests that cannot be translated fully (400) instead of adding a warning", at_once=True
    )
    max_choices: Annotated[int, Meta(ge=1)] = setting(
        8, "largest `n` (number of answers) that a request may ask for", at_once=True
    )
    fast_mode: bool = setting(
        False, "let `service_tier: fast` ask for Claude's fast mode, which costs more", at_once=True
    )
