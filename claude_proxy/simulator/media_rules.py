"""Rules for images and documents: encoding, declared media type, size, number."""

import base64
import binascii
import struct
from collections.abc import Iterator
from typing import Any

from claude_proxy.simulator.api_error import ApiError, invalid
from claude_proxy.simulator.valid_request import Block, Request, blocks

_MAX_BYTES = 10 * 1024 * 1024  # of the base64 text of one image
_MAX_SIDE = 8000
_MANY = 20  # images; with more than that each must be smaller
_MAX_SIDE_OF_MANY = 2000
_MAX_IMAGES = {200_000: 100, 1_000_000: 600}  # by context
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def check(request: Request) -> None:
    images = 0
    sides: dict[str, int] = {}  # the longest side of each image, by its short param
    for param, short_param, block in _sources(request.messages):
        source = block["source"]
        if source["type"] == "url" and not source["url"].startswith("https://"):
            raise invalid(f"{param}.source.url.url: Only HTTPS URLs are supported.")
        if block["type"] == "image":
            images += 1
            if source["type"] == "base64":
                sides[short_param] = max(_image_size(source, f"{param}.source.base64"))
        elif source["type"] == "base64" and not _decoded(source, f"{param}.source.base64").startswith(b"%PDF"):
            raise invalid(f"{param}.source.base64.data: The PDF specified was not valid.")
        elif source["type"] == "text" and not source["data"].strip():
            raise invalid(f"{param}.source.text.data: Document content must contain non-whitespace text")
    bound = _MAX_IMAGES[request.model.context]
    if images > bound:
        raise invalid(f"messages: too many images and documents: {images} + 0 > {bound}")
    _dimensions(sides, _MAX_SIDE_OF_MANY if images > _MANY else _MAX_SIDE)


def _dimensions(sides: dict[str, int], bound: int) -> None:
    paths = [short_param for short_param, side in sides.items() if side > bound]
    if paths:
        details = {"error_code": "image_dimensions_too_large", "max_side_length_pixels": bound, "paths": paths}
        what = f"At least one of the image dimensions exceed max allowed size: {bound} pixels"
        raise ApiError(400, f"{paths[0]}.image.source.base64.data: {what}", details=details)


def _sources(messages: list[dict[str, Any]]) -> Iterator[tuple[str, str, Block]]:
    """Every image and document with its param: as in the error message, and as in `details.paths`."""
    for number, message in enumerate(messages):
        for short_param, block in enumerate(blocks(message)):
            here = f"messages.{number}.content.{short_param}"
            yield from _inside(block, f"{here}.{block['type']}", here)


def _inside(block: Block, param: str, short_param: str) -> Iterator[tuple[str, str, Block]]:
    if block["type"] in {"image", "document"}:
        yield param, short_param, block
    if block["type"] == "document" and isinstance(inner := block["source"].get("content"), list):
        for number, one in enumerate(inner):
            yield from _inside(
                one, f"{param}.source.content.content.{number}.{one['type']}", f"{short_param}.content.{number}"
            )
    if block["type"] == "tool_result":
        for number, one in enumerate(blocks(block)):
            yield from _inside(one, f"{param}.content.{number}.{one['type']}", f"{short_param}.content.{number}")


def _decoded(source: Block, param: str) -> bytes:
    try:
        return base64.b64decode(source["data"], validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"{param}.data: invalid base64 data") from None


def _image_size(source: Block, param: str) -> tuple[int, int]:
    """Width and height; 0 for formats whose size is not in the first bytes (JPEG, WebP)."""
    size = len(source["data"])
    if size > _MAX_BYTES:
        raise invalid(f"{param}: image exceeds 10 MB maximum: {size} bytes > {_MAX_BYTES} bytes")
    data = _decoded(source, param)
    found = media_type(data)
    if found is None:
        raise invalid(f"{param}.data: Could not process image")
    if found != source["media_type"]:
        what = f"The image was specified using the {source['media_type']} media type"
        raise invalid(f"{param}: {what}, but the image appears to be a {found} image")
    try:
        if found == "image/png":
            return struct.unpack(">II", data[16:24])
        return struct.unpack("<HH", data[6:10]) if found == "image/gif" else (0, 0)
    except struct.error:
        raise invalid(f"{param}.data: Could not process image") from None


def media_type(data: bytes) -> str | None:
    """The media type according to the first bytes of an image."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for magic, name in _MAGIC if data.startswith(magic)), None)
