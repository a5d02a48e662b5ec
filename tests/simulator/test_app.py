import asyncio
import io

import anthropic
import pytest

from claude_proxy.simulator.app import SENT, simulator_app
from tests.support.raw import told

MODEL = "claude-opus-4-8"  # does not think unless asked to


def user(text):
    return [{"role": "user", "content": text}]


async def test_the_sdk_gets_an_echo_that_says_it_is_simulated(client):
    message = await client.messages.create(model=MODEL, max_tokens=100, messages=user("Hello there"))
    assert message.content[0].text == "[simulated] You said: Hello there"
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 5)


async def test_the_blocking_sdk_gets_the_same(simulator):
    def ask():
        with anthropic.Anthropic(api_key="test-key", base_url=simulator.url, max_retries=0) as sdk:
            return sdk.messages.create(model=MODEL, max_tokens=100, messages=user("Hi"))

    assert (await asyncio.to_thread(ask)).content[0].text == "[simulated] You said: Hi"


async def test_a_stream_folds_to_the_message_that_is_not_streamed(client):
    asked = {"model": MODEL, "max_tokens": 100, "messages": user("Grüße, 世界 and a 🙂 or two")}
    whole = await client.messages.create(**asked)
    async with client.messages.stream(**asked) as stream:
        folded = await stream.get_final_message()
    assert folded.to_dict() == whole.to_dict()


async def test_every_answer_says_in_its_headers_that_it_is_simulated(simulator):
    async with simulator.session.head(simulator.url + "/") as alive:
        assert (alive.status, alive.headers["x-simulated"]) == (200, "true")
    async with simulator.session.get(simulator.url + "/nothing/here") as lost:
        assert (lost.status, lost.headers["x-simulated"]) == (404, "true")
        assert (await lost.json())["error"] == {"type": "not_found_error", "message": "Not found"}


async def test_the_sdk_pages_through_the_models(client):
    ids = [model.id async for model in client.models.list(limit=5)]
    assert ids[0] == "claude-fable-5-2"
    assert len(ids) == len(set(ids)) == 18


async def test_an_unknown_model_is_not_found(client):
    with pytest.raises(anthropic.NotFoundError, match="model: gpt-4o"):
        await client.messages.create(model="gpt-4o", max_tokens=10, messages=user("Hi"))
    with pytest.raises(anthropic.NotFoundError, match="model: gpt-4o"):
        await client.models.retrieve("gpt-4o")


async def test_an_alias_is_answered_by_the_dated_model(client):
    assert (await client.models.retrieve("claude-haiku-4-5")).id == "claude-haiku-4-5-20251001"
    message = await client.messages.create(model="claude-haiku-4-5", max_tokens=10, messages=user("Hi"))
    assert message.model == "claude-haiku-4-5-20251001"


async def test_a_retired_model_is_listed_on_request_and_answers_nobody(simulator, client):
    body = {"model": "claude-mythos-preview", "max_tokens": 10, "messages": user("Hi")}
    assert await simulator.refusal(body) == (404, "not_found_error", "model: claude-mythos-preview")
    assert [model.id async for model in client.models.list(lifecycle=["retired"])] == ["claude-mythos-preview"]


async def test_pages_of_models_go_both_ways(simulator):
    async def page(query):
        async with simulator.session.get(f"{simulator.url}/v1/models?{query}", headers=simulator.headers) as response:
            return response.status, await response.json()

    _, whole = await page("limit=1000")
    ids = [model["id"] for model in whole["data"]]
    assert (whole["has_more"], whole["first_id"], whole["last_id"]) == (False, ids[0], ids[-1])
    _, before = await page(f"limit=2&before_id={ids[5]}")
    assert ([model["id"] for model in before["data"]], before["has_more"]) == (ids[3:5], True)
    _, after = await page(f"after_id={ids[-1]}")
    assert after == {"data": [], "has_more": False, "first_id": None, "last_id": None}
    for query in ("limit=0", "limit=1001", "limit=x", "after_id=nobody"):
        assert (await page(query))[0] == 400


async def test_tokens_are_counted_as_they_are_billed(client):
    asked = {"model": MODEL, "messages": user("Hello there"), "system": "Be brief."}
    counted = await client.messages.count_tokens(**asked)
    message = await client.messages.create(**asked, max_tokens=9)
    assert counted.input_tokens == message.usage.input_tokens == 7


async def test_the_second_identical_request_reads_the_cache(client):
    asked = {"model": MODEL, "max_tokens": 5, "messages": user("word " * 1100), "cache_control": {"type": "ephemeral"}}
    first, second = [(await client.messages.create(**asked)).usage for _ in range(2)]
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (1104, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, 1104)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "unexpected character: line 1 column 1 (char 0)"),
        (b'{"a":1,\n]', "unexpected character: line 2 column 1 (char 8)"),
        (b'{"a":"\\ud83d"}', "no low surrogate in string: line 1 column 7 (char 6)"),
        (b'{"a":"\\udc00"}', "no low surrogate in string: line 1 column 7 (char 6)"),
        (b'{"a":"\\\\ud83d"}', None),
        (b'{"a":"\\ud83d\\ude42"}', None),
        (b'{"a":NaN}', "JSON is malformed: invalid character (byte 5)"),
        (b'{"a":"\xff"}', "str is not valid UTF-8: surrogates not allowed"),
        (b"[" * 100_000, "recursion limit exceeded"),
    ],
)
async def test_a_body_that_is_no_json_is_refused(simulator, body, reason):
    status, type_, message = await simulator.refusal(data=body, headers={"content-type": "application/json"})
    assert (status, type_) == (400, "invalid_request_error")
    if reason is None:
        assert message == "model: Field required"
    else:
        assert message == f"The request body is not valid JSON: {reason}"


async def test_a_body_over_32_mb_is_too_large(simulator):
    body = io.BytesIO(b" " * (32 * 1024 * 1024 + 1))
    refusal = await simulator.refusal(data=body, headers={"content-type": "application/json"})
    assert refusal == (413, "request_too_large", "Request exceeds the maximum size")


async def test_a_method_that_is_not_there_is_refused(simulator):
    async with simulator.session.get(simulator.url + "/v1/messages") as response:
        assert (response.status, response.headers["allow"]) == (405, "POST")
        assert (await response.json())["error"]["message"] == "Method Not Allowed"


async def test_json_is_compressed_only_if_asked_for(simulator):
    body = {"model": MODEL, "max_tokens": 50, "messages": user("Hi")}
    for encoding in ("gzip", "identity"):
        async with simulator.post(json=body, headers={"accept-encoding": encoding}) as response:
            assert response.headers.get("content-encoding", "identity") == encoding
            assert (await response.json())["stop_reason"] == "end_turn"


async def test_what_was_sent_can_be_looked_at(start):
    simulator = await start(record=1)
    body = {"model": MODEL, "max_tokens": 50, "messages": user("Hi")}
    for _ in range(2):
        async with simulator.post("/v1/messages?beta=true", json=body):
            pass
    (sent,) = simulator.sent
    assert (sent.method, sent.path, sent.headers["x-api-key"]) == ("POST", "/v1/messages?beta=true", "test-key")
    assert b'"content": "Hi"' in sent.body


async def test_nothing_is_kept_by_default():
    assert simulator_app()[SENT].maxlen == 0


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("status 429 retry-after=2", anthropic.RateLimitError),
        ("status 529", anthropic.InternalServerError),
        ("status 500", anthropic.InternalServerError),
        ("status 413 html", anthropic.RequestTooLargeError),
        ("status 502 empty", anthropic.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_status_is_the_sdks_error_for_it(client, script, error, stream):
    with pytest.raises(error) as caught:
        await client.messages.create(model=MODEL, max_tokens=9, stream=stream, messages=user(f"/simulate {script}"))
    response = caught.value.response
    assert response.status_code == int(script.split()[1])
    assert response.headers.get("retry-after") == ("2" if "retry-after" in script else None)
    assert "json" in response.headers["content-type"] or not response.content.startswith(b"{")


async def test_a_status_can_go_away_after_some_tries(simulator):
    async with anthropic.AsyncAnthropic(api_key="k", base_url=simulator.url, max_retries=2) as sdk:
        asked = user("/simulate status 529 times=2 retry-after-ms=1\n/simulate text ok")
        message = await sdk.messages.create(model=MODEL, max_tokens=9, messages=asked)
    assert message.content[0].to_dict() == {"type": "text", "text": "ok"}
    assert [sent.headers["x-stainless-retry-count"] for sent in simulator.sent] == ["0", "1", "2"]


async def test_only_so_many_tries_are_counted(simulator, monkeypatch):
    monkeypatch.setattr("claude_proxy.simulator.app._TRIES", 1)
    for text in ("a", "b"):
        body = {"model": MODEL, "max_tokens": 9, "messages": user(f"{text}\n/simulate status 500 times=1")}
        assert (await simulator.refusal(body))[0] == 500


async def test_latency_and_token_delay_only_take_time(start):
    simulator = await start(latency=0.001, token_delay=0.001)
    asked = {"model": MODEL, "max_tokens": 50, "messages": user("/simulate words 5"), "stream": True}
    async with simulator.post(json=asked) as response:
        assert (await response.read()).count(b"text_delta") == 5


async def test_a_stream_arrives_while_it_is_made(start):
    simulator = await start(token_delay=3600)
    body = {"model": MODEL, "max_tokens": 50, "messages": user("/simulate words 5"), "stream": True}
    async with simulator.post(json=body) as response:
        data = b""
        while b"word1" not in data:
            data += await response.content.readany()
    assert b"word2" not in data


async def test_many_streams_at_once_all_complete(simulator):
    async def one(number):
        body = {"model": MODEL, "max_tokens": 500, "messages": user(f"/simulate words {number}"), "stream": True}
        async with simulator.post(json=body) as response:
            return (await response.read()).count(b"text_delta")

    assert await asyncio.gather(*map(one, range(1, 101))) == list(range(1, 101))


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/v1/messages", {"messages": user("/simulate words " + "9" * 5000)}),
        ("/v1/messages", {"messages": user("/simulate tool #" + "9" * 5000)}),
        ("/v1/messages", {"messages": user("/simulate \x1b[31m\u202e\nINFO forged line")}),
        ("/v1/messages", {"model": "\x1b[31m\u202e\nINFO forged line"}),
        ("/v1/messages", {"\nINFO forged line": 1}),
        ("/v1/messages/count_tokens", {"model": "\nINFO forged line"}),
    ],
)
async def test_hostile_text_is_an_error_for_the_client_and_never_a_line_in_the_log(simulator, caplog, path, changes):
    caplog.set_level("DEBUG")
    body = {"model": MODEL, "max_tokens": 10, "messages": user("Hi")}
    if path.endswith("count_tokens"):
        del body["max_tokens"]
    status, _, _ = await simulator.refusal(body | changes, path)
    assert status in {400, 404}
    assert "forged" not in caplog.text


@pytest.mark.parametrize("name", ["anthropic-beta", "anthropic-version", "x-api-key"])
async def test_header_bytes_that_are_not_utf_8_are_an_error_of_the_client(start, caplog, name):
    simulator = await start(api_key="right")
    host = simulator.url.removeprefix("http://")
    lines = [f"{key}: {value}" for key, value in {**simulator.headers, "x-api-key": "right"}.items() if key != name]
    head = "\r\n".join(["GET /v1/models HTTP/1.1", f"host: {host}", "connection: close", *lines])
    reply = await told(simulator.url, head.encode() + f"\r\n{name}: ".encode() + b"\xff\xfe\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 401" if name == "x-api-key" else b"HTTP/1.1 400")
    assert not caplog.records


async def test_the_number_of_models_in_a_page_has_bounds(simulator):
    for limit, text in (
        ("0", "greater than or equal to 1"),
        ("1001", "less than or equal to 1000"),
        ("9" * 5000, "less than or equal to 1000"),
    ):
        async with simulator.session.get(f"{simulator.url}/v1/models?limit={limit}", headers=simulator.headers) as got:
            assert (got.status, (await got.json())["error"]["message"]) == (400, f"limit: Input should be {text}")


async def test_words_beyond_max_tokens_are_not_made(simulator):
    body = {"model": MODEL, "max_tokens": 3, "messages": user("/simulate words 999999999")}
    async with simulator.post(json=body) as got:
        answer = await got.json()
    assert (answer["content"][0]["text"], answer["stop_reason"]) == ("word1 word2 word3", "max_tokens")
