import pytest

from claude_proxy.simulator.model_table import MODELS

DOCS = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
THINKING = {"type": "adaptive"}
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
JSON = {"format": {"type": "json_schema", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"max_tokens": 128001},
            "max_tokens: 128001 > 128000, which is the maximum allowed number of output tokens for claude-opus-4-8",
        ),
        (
            {"model": "claude-haiku-4-5", "max_tokens": 64001},
            (
                "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens "
                "for claude-haiku-4-5-20251001"
            ),
        ),
        (
            {"model": "claude-opus-4-6", "temperature": 1, "top_p": 1},
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        ),
        ({"temperature": 0.5}, "`temperature` is deprecated for this model."),
        ({"top_p": 0.9}, "`top_p` is deprecated for this model."),
        ({"top_k": 5}, "`top_k` is deprecated for this model."),
        (
            {"model": "claude-opus-4-6", "thinking": THINKING, "temperature": 0.5},
            f"`temperature` may only be set to 1 when thinking is enabled or in adaptive mode. {DOCS}",
        ),
        (
            {"model": "claude-opus-4-6", "thinking": THINKING, "top_p": 0.9},
            "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled or in adaptive mode. "
            + DOCS,
        ),
        (
            {"model": "claude-opus-4-6", "thinking": THINKING, "top_k": 9},
            f"`top_k` must be unset when thinking is enabled or in adaptive mode. {DOCS}",
        ),
        ({"stop_sequences": ["ok", "\n"]}, "stop_sequences: each stop sequence must contain non-whitespace"),
        (
            {"metadata": {"user_id": "bob@example.com"}},
            "metadata.user_id: user_id appears to contain an email address. Please send a uuid or hash value instead.",
        ),
        (
            {"metadata": {"user_id": "+1 (555) 123-4567"}},
            "metadata.user_id: user_id appears to contain a phone number. Please send a uuid or hash value instead.",
        ),
        ({"metadata": {"user_id": "a\tb"}}, "metadata.user_id: String should contain printable characters only"),
        ({"model": "claude-sonnet-5", "speed": "fast"}, "speed: 'fast' is not supported for claude-sonnet-5"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
        ),
        (
            {
                "model": "claude-opus-4-5",
                "output_config": JSON,
                "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}],
            },
            "output_config.format: Output format is not supported together with assistant message prefill",
        ),
        (
            {
                "output_config": JSON,
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "document",
                                "source": {"type": "text", "media_type": "text/plain", "data": "x"},
                                "citations": {"enabled": True},
                            }
                        ],
                    }
                ],
            },
            "output_config.format: Output format is not supported together with citations",
        ),
    ],
)
def test_a_setting_is_refused(asked, changes, text):
    assert asked(**changes).refused() == text


def test_a_prompt_must_fit_into_the_context(asked):
    words = [{"role": "user", "content": "word " * 200_000}]
    assert (
        asked(model="claude-haiku-4-5", messages=words).refused()
        == "prompt is too long: 200004 tokens > 200000 maximum"
    )
    asked(model="claude-haiku-5-5", messages=words).accepted()


@pytest.mark.parametrize("model", [model.id for model in MODELS if model.lifecycle != "retired"])
def test_every_model_takes_the_default_temperature(asked, model):
    asked(model=model, temperature=1).accepted()


@pytest.mark.parametrize("user", ["a1b2c3", "123e4567-e89b-12d3-a456-426614174000", None])
def test_an_opaque_user_is_accepted(asked, user):
    asked(metadata={"user_id": user}).accepted()
