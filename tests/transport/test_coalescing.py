import asyncio
from typing import Any

from claude_proxy.transport.coalescing import WriteCoalescer


class Written:
    """A transport that notes what it is given."""

    def __init__(self, notes: list[bytes]) -> None:
        self.closing = False
        self._notes = notes

    def write(self, data: bytes) -> None:
        self._notes.append(data)

    def is_closing(self) -> bool:
        return self.closing


async def test_writes_of_one_loop_iteration_leave_at_its_end_in_order() -> None:
    coalescer, notes = WriteCoalescer(), list[bytes]()
    one: Any = Written(notes)
    two: Any = Written(notes)
    for transport, data in ((one, b"1"), (two, b"2"), (one, b"3")):
        coalescer.put(transport, data, asyncio.get_running_loop())
    assert notes == []
    await asyncio.sleep(0)
    assert notes == [b"1", b"2", b"3"]
    coalescer.put(two, b"4", asyncio.get_running_loop())
    await asyncio.sleep(0)
    assert notes == [b"1", b"2", b"3", b"4"]


async def test_flushed_data_is_not_written_again() -> None:
    coalescer, notes = WriteCoalescer(), list[bytes]()
    transport: Any = Written(notes)
    coalescer.put(transport, b"1", asyncio.get_running_loop())
    coalescer.flush()
    await asyncio.sleep(0)
    assert notes == [b"1"]


async def test_a_transport_that_is_closing_gets_nothing_more() -> None:
    coalescer, notes = WriteCoalescer(), list[bytes]()
    closing: Any = Written(notes)
    other: Any = Written(notes)
    closing.closing = True
    coalescer.put(closing, b"1", asyncio.get_running_loop())
    coalescer.put(other, b"2", asyncio.get_running_loop())
    await asyncio.sleep(0)
    assert notes == [b"2"]
