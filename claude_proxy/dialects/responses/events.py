"""The events of a streamed response: numbered, named, and framed for server-sent events."""

import msgspec

_encode = msgspec.json.Encoder().encode


class EventWriter:
    """Numbers events and collects their frames. Source: OpenAI's "Responses streaming events" reference."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._next = 0  # sequence number

    def take(self) -> bytes:
        """The frames since the last call."""
        frames = self._frames
        if not frames:
            return b""
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        frames.clear()
        return data

    def event(self, name: str, /, **fields: object) -> None:
        """Write one event. A field that is `bytes` is JSON already."""
        parts = [
            b'"%b":%b' % (key.encode(), value if type(value) is bytes else _encode(value))
            for key, value in fields.items()
        ]
        head = f'event: {name}\ndata: {{"type":"{name}","sequence_number":{self._next}'
        self._frames.append(b",".join([head.encode(), *parts]) + b"}\n\n")
        self._next += 1

    def delta(self, template: "DeltaTemplate", inner: bytes) -> None:
        """Write one delta event; `inner` is a JSON string without its quotes."""
        self._frames.append(b'%b%d%b%b"}\n\n' % (template.head, self._next, template.fields, inner))
        self._next += 1


class DeltaTemplate:
    """What all delta events of one item have in common: built once, since most of a stream is deltas."""

    def __init__(self, name: str, /, **fields: object) -> None:
        self.head = f'event: {name}\ndata: {{"type":"{name}","sequence_number":'.encode()
        written = b"".join(b',"%b":%b' % (key.encode(), _encode(value)) for key, value in fields.items())
        self.fields = written + b',"delta":"'
