from typing import Any

import anthropic
import pytest

BODY: Any = {"model": "claude-opus-4-8", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
OAUTH = {"authorization": "Bearer sk-ant-oat01-x", "anthropic-version": "2023-06-01"}
VERSION = {"anthropic-version": "2023-06-01"}


async def answered(simulator, headers, path="/v1/messages"):
    async with simulator.session.post(simulator.url + path, json=BODY, headers=headers) as response:
        return response.status, await response.json(), response.headers


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        (VERSION, 401, "x-api-key header is required"),
        (VERSION | {"x-api-key": ""}, 401, "x-api-key header is required"),
        (VERSION | {"x-api-key": "", "authorization": "Bearer right"}, 401, "x-api-key header is required"),
        (VERSION | {"authorization": "Basic right"}, 401, "x-api-key header is required"),
        (VERSION | {"x-api-key": "wrong"}, 401, "invalid x-api-key"),
        (VERSION | {"x-api-key": "sk-ant-oat01-x"}, 401, "invalid x-api-key"),
        (VERSION | {"x-api-key": "wrong", "authorization": "Bearer right"}, 401, "invalid x-api-key"),
        (VERSION | {"authorization": "Bearer wrong"}, 401, "Invalid bearer token"),
        (OAUTH, 401, "OAuth authentication is currently not supported."),
        (OAUTH | {"anthropic-beta": "oauth-2025-04-20"}, 401, "Invalid bearer token"),
        ({"x-api-key": "right"}, 400, "anthropic-version: header is required"),
        (
            {"x-api-key": "right", "anthropic-version": "2024-02-15"},
            400,
            'anthropic-version: "2024-02-15" is not a valid version',
        ),
        (
            VERSION | {"x-api-key": "right", "anthropic-beta": "skills-2025-10-02, nonsense,more"},
            400,
            "Unexpected value(s) `more`, `nonsense` for the `anthropic-beta` header",
        ),
    ],
)
async def test_a_header_keeps_a_request_out(start, headers, status, text):
    simulator = await start(api_key="right")
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        assert (await answered(simulator, headers, path))[:2] == (
            status,
            {
                "type": "error",
                "error": {
                    "type": "authentication_error" if status == 401 else "invalid_request_error",
                    "message": text,
                },
                "request_id": f"req_sim_{1 if path == '/v1/messages' else 2:08d}",
            },
        )


@pytest.mark.parametrize(
    "headers",
    [{"x-api-key": "right"}, {"authorization": "Bearer right"}, {"x-api-key": "right", "authorization": "Bearer x"}],
)
async def test_the_right_credential_comes_in(start, headers):
    simulator = await start(api_key="right")
    assert (await answered(simulator, VERSION | headers))[0] == 200


async def test_a_body_must_be_declared_as_json(simulator):
    refusal = await simulator.refusal(data=b"{}", headers={"content-type": "text/plain"})
    assert refusal == (400, "invalid_request_error", "content-type: Input should be 'application/json'")


async def test_an_api_key_sees_its_limits(start):
    simulator = await start(clock=lambda: 1_000_000_000.9)
    _, _, headers = await answered(simulator, simulator.headers)
    assert headers["anthropic-ratelimit-requests-limit"] == "4000"
    assert headers["anthropic-ratelimit-requests-remaining"] == "3999"
    assert headers["anthropic-ratelimit-tokens-reset"] == "2001-09-09T01:47:40Z"
    assert headers["anthropic-organization-id"]


async def test_a_login_sees_the_limits_of_its_plan(start):
    simulator = await start(clock=lambda: 1_000_000_000.0)
    _, _, headers = await answered(simulator, OAUTH | {"anthropic-beta": "oauth-2025-04-20"})
    assert headers["anthropic-ratelimit-unified-status"] == "allowed"
    assert headers["anthropic-ratelimit-unified-5h-utilization"] == "0.001"
    assert (
        headers["anthropic-ratelimit-unified-reset"] == headers["anthropic-ratelimit-unified-5h-reset"] == "1000008000"
    )
    assert "anthropic-ratelimit-requests-limit" not in headers


async def test_the_sdk_comes_in_with_a_key_and_with_a_token(simulator):
    credentials: list[Any] = [{"api_key": "k"}, {"auth_token": "t"}]
    for credential in credentials:
        async with anthropic.AsyncAnthropic(**credential, base_url=simulator.url, max_retries=0) as sdk:
            assert (await sdk.messages.create(**BODY)).stop_reason == "end_turn"
    assert {sent.headers["authorization"] for sent in simulator.sent} == {"Bearer k", "Bearer t"}
