from typing import get_type_hints

from openai.types.completion_create_params import CompletionCreateParamsStreaming

from claude_proxy.dialects.completions.parameters import EXTENSIONS, PARAMETERS
from claude_proxy.wire.completions_request import CompletionsRequest


def test_every_field_of_the_newest_sdk_has_a_fate():
    assert {row.name for row in PARAMETERS} == get_type_hints(CompletionCreateParamsStreaming).keys()


def test_every_field_that_is_read_has_one_fate():
    names = [row.name for row in (*PARAMETERS, *EXTENSIONS)]
    assert sorted(names) == sorted(CompletionsRequest.__struct_fields__)
