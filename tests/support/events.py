"""Events of a Messages stream, as bytes."""

import json


def event(type_: str, **fields: object) -> bytes:
    """One event in Anthropic's framing; text is sent as UTF-8, and a lone surrogate as a question mark."""
    data = json.dumps({"type": type_, **fields}, ensure_ascii=False, separators=(",", ":"))
    return b"event: %b\ndata: %b\n\n" % (type_.encode(), data.encode("utf-8", "replace"))
