"""The shapes against the official SDK's own types: the same fields, as required and as nullable as there."""

import types
from typing import Any, Literal, Required, Union, get_args, get_origin

import pytest
from anthropic.types import content_block_param, tool_union_param
from anthropic.types.beta import (
    beta_content_block_param,
    beta_output_config_param,
    beta_thinking_config_param,
    beta_tool_choice_param,
    beta_tool_union_param,
    message_count_tokens_params,
    message_create_params,
)
from typing_extensions import get_type_hints, is_typeddict

from claude_proxy.simulator.block_validators import BLOCK, BLOCKS
from claude_proxy.simulator.request_validators import COUNTED, CREATED, OUTPUT_CONFIG, SAMPLING, THINKING
from claude_proxy.simulator.tool_validators import TOOL, TOOL_CHOICE, TOOLS
from claude_proxy.simulator.validators import BetaOnly, Nullable, Object

HEADERS = frozenset({"betas", "user_profile_id", "workspace_id"})  # arguments of the SDK that are no fields of the body

# As sets, because mypy takes the origin of a special form for something it is not.
LITERAL: set[Any] = {Literal}
REQUIRED: set[Any] = {Required}


def members(union: Any) -> list[Any]:
    return [one for one in get_args(union) if is_typeddict(one)]


def tags(typed: Any) -> list[str]:
    hint = get_type_hints(typed)["type"]
    literals = [one for one in (hint, *get_args(hint)) if get_origin(one) in LITERAL]
    return [tag for literal in literals for tag in get_args(literal)]


def nullable(hint: Any) -> bool:
    return get_origin(hint) in {Union, types.UnionType} and type(None) in get_args(hint)


def can_be_null(validator: Any) -> bool:
    return can_be_null(validator.validator) if isinstance(validator, BetaOnly) else isinstance(validator, Nullable)


def fields(validator: Any) -> dict[str, tuple[bool, bool]]:
    """Whether each field is required, and whether it may be null."""
    required = {name: (True, can_be_null(one)) for name, one in validator.required.items()}
    return required | {name: (False, can_be_null(one)) for name, one in validator.optional.items()}


def fields_of_type(typed: Any, without: frozenset[str] = frozenset()) -> dict[str, tuple[bool, bool]]:
    found = {}
    for name, hint in get_type_hints(typed, include_extras=True).items():
        required = get_origin(hint) in REQUIRED
        found[name] = (required, nullable(get_args(hint)[0] if required else hint))
    return {name: facts for name, facts in found.items() if name not in without}


BETA_BLOCKS = {tag: one for one in members(beta_content_block_param.BetaContentBlockParam) for tag in tags(one)}
BETA_TOOLS = {tag: one for one in members(beta_tool_union_param.BetaToolUnionParam) for tag in tags(one)}


@pytest.mark.parametrize("tag", [tag for tag, validator in BLOCKS.items() if isinstance(validator, Object)])
def test_a_block_has_the_sdks_fields(tag):
    assert fields(BLOCKS[tag]) == fields_of_type(BETA_BLOCKS[tag])


@pytest.mark.parametrize("tag", TOOLS)
def test_a_tool_has_the_sdks_fields(tag):
    assert fields(TOOLS[tag]) == fields_of_type(BETA_TOOLS[tag])


def test_what_is_not_in_the_sdks_stable_types_needs_a_beta():
    stable = {tag for one in members(content_block_param.ContentBlockParam) for tag in tags(one)}
    assert set(BLOCKS) - set(BLOCK.betas) == stable
    stable = {tag for one in members(tool_union_param.ToolUnionParam) for tag in tags(one)}
    assert set(TOOLS) - set(TOOL.betas) == stable


def test_nothing_of_the_sdks_is_missing():
    assert set(BETA_TOOLS) == set(TOOLS)
    assert set(BETA_BLOCKS) - set(BLOCKS) == {"tool_addition", "tool_removal"}  # of system messages


def test_a_request_has_the_sdks_fields():
    typed = fields_of_type(message_create_params.MessageCreateParamsNonStreaming, HEADERS)
    assert fields(CREATED.without(*SAMPLING)) == typed
    assert fields(COUNTED) == fields_of_type(message_count_tokens_params.MessageCountTokensParams, HEADERS)


@pytest.mark.parametrize(
    ("validator", "union"),
    [
        (THINKING, beta_thinking_config_param.BetaThinkingConfigParam),
        (TOOL_CHOICE, beta_tool_choice_param.BetaToolChoiceParam),
    ],
)
def test_a_setting_has_the_sdks_fields(validator, union):
    typed = {tag: fields_of_type(one) for one in members(union) for tag in tags(one)}
    assert {tag: fields(one) for tag, one in validator.variants.items()} == typed


def test_the_output_config_has_the_sdks_fields():
    assert fields(OUTPUT_CONFIG) == fields_of_type(beta_output_config_param.BetaOutputConfigParam)
