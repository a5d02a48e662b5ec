from claude_proxy.store.runs import RunEvent
from claude_proxy.store.store import Store
from tests.store.conftest import response

EVENTS = [RunEvent(number, b"data: %d\n\n" % number) for number in range(5)]


async def test_a_stream_is_resumed_after_a_number(store: Store):
    await store.responses.put(response(1, status="in_progress"))
    assert await store.runs.append_events("resp_1", EVENTS[:3])
    assert await store.runs.append_events("resp_1", EVENTS[3:])
    assert await store.runs.events_after("resp_1") == EVENTS
    assert await store.runs.events_after("resp_1", 2) == EVENTS[3:]
    assert await store.runs.events_after("resp_1", 0, limit=2) == EVENTS[1:3]
    assert await store.runs.events_after("resp_1", 4) == []


async def test_events_go_with_their_response(store: Store):
    await store.responses.put(response(1))
    await store.runs.append_events("resp_1", EVENTS)
    await store.responses.delete("resp_1")
    assert await store.runs.events_after("resp_1") == []
    assert not await store.runs.append_events("resp_1", EVENTS)


async def test_events_can_be_deleted_alone(store: Store):
    await store.responses.put(response(1))
    await store.runs.append_events("resp_1", EVENTS)
    assert await store.runs.delete_events("resp_1") == 5
    assert await store.runs.events_after("resp_1") == []
    assert await store.responses.get("resp_1") is not None


async def test_interrupted_runs_are_ended_with_the_body_that_the_caller_makes(store: Store):
    for number, status in enumerate(("queued", "in_progress", "completed", "failed")):
        await store.responses.put(response(number, status=status))
    ended = await store.runs.end_interrupted("failed", lambda stored: b'{"was":"%s"}' % stored.status.encode())
    assert ended == ["resp_0", "resp_1"]
    assert await store.responses.get("resp_0") == response(0, status="failed", body=b'{"was":"queued"}')
    assert await store.responses.get("resp_1") == response(1, status="failed", body=b'{"was":"in_progress"}')
    assert await store.responses.get("resp_2") == response(2)
    assert await store.runs.end_interrupted("failed", lambda stored: stored.body) == []
