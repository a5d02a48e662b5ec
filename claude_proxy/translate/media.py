"""Images and files: data URLs and links as Anthropic's image and document blocks.

The type in a data URL is often wrong (a JPEG called PNG, `image/jpg`), and upstream refuses the mismatch: the
first bytes decide. Links are passed on, never fetched here: a server that fetches what a request names can be
sent to places its user never meant.
"""

import base64
import re
from urllib.parse import unquote_to_bytes, urlsplit

from claude_proxy.errors import InvalidRequest
from claude_proxy.wire import anthropic
from claude_proxy.wire.chat_request import FileData

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<params>(?:;[^,]*)?),(?P<data>.*)", re.DOTALL | re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*")
_SPACE = re.compile(r"\s+")


def image_block(url: str, place: str) -> anthropic.ImageBlock:
    """The image at `url`, a data URL or an https link; `place` is its parameter path, for the error."""
    if url[:5].lower() == "data:":
        media_type, data = _data_url(url, place)
        found = _sniffed(data) or media_type.replace("image/jpg", "image/jpeg")
        if found not in IMAGE_TYPES:
            raise InvalidRequest(
                f"Unsupported image type '{media_type}': Claude reads JPEG, PNG, GIF and WebP.",
                param=place,
                code="invalid_value",
            )
        return anthropic.ImageBlock(anthropic.Base64Source(found, data))
    return anthropic.ImageBlock(anthropic.UrlSource(_link(url, place)))


def document_block(file: FileData, place: str) -> anthropic.DocumentBlock | anthropic.ImageBlock:
    """The file of a `file` part: a PDF, a text, or an image that came as a file."""
    if file.file_data is None:
        if not file.file_id:
            raise InvalidRequest(
                f"Missing required parameter: '{place}.file_data'.",
                param=f"{place}.file_data",
                code="missing_required_parameter",
            )
        if file.file_id.startswith("file-"):
            raise InvalidRequest(
                f"The file '{file.file_id}' is stored at OpenAI and cannot be read here; send its `file_data`.",
                param=f"{place}.file_id",
                code="unsupported_value",
            )
        return anthropic.DocumentBlock(anthropic.FileSource(file.file_id), title=file.filename)
    if file.file_data[:5].lower() != "data:":  # some clients send the bare base64
        media_type, data = "", _checked_base64(file.file_data, f"{place}.file_data")
    else:
        media_type, data = _data_url(file.file_data, f"{place}.file_data")
    if _head(data).startswith(b"%PDF-") or media_type == "application/pdf":
        return anthropic.DocumentBlock(anthropic.Base64Source("application/pdf", data), title=file.filename)
    if image := _sniffed(data):
        return anthropic.ImageBlock(anthropic.Base64Source(image, data))
    return anthropic.DocumentBlock(_text_source(media_type, data, place), title=file.filename)


def _text_source(media_type: str, data: str, place: str) -> anthropic.TextSource:
    try:
        text = base64.b64decode(data).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest(
            f"Unsupported file type '{media_type or 'unknown'}': Claude reads PDF, text and image files.",
            param=f"{place}.file_data",
            code="invalid_value",
        ) from None
    if not text.strip():
        raise InvalidRequest("The file is empty.", param=f"{place}.file_data", code="invalid_value")
    return anthropic.TextSource("text/plain", text)


def _data_url(url: str, place: str) -> tuple[str, str]:
    """The declared type and the data in plain base64."""
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise InvalidRequest("The data URL has no comma before its data.", param=place, code="invalid_value")
    media_type = found["type"].strip().lower()
    if "base64" in found["params"].lower():
        return media_type, _checked_base64(found["data"], place)
    return media_type, base64.b64encode(unquote_to_bytes(found["data"])).decode("ascii")


def _checked_base64(data: str, place: str) -> str:
    if "%" in data:
        data = unquote_to_bytes(data).decode("ascii", "replace")
    data = data.replace("-", "+").replace("_", "/")
    if not _BASE64.fullmatch(data):
        raise InvalidRequest("The data is not valid base64.", param=place, code="invalid_value")
    data = _SPACE.sub("", data).rstrip("=")
    if not data or len(data) % 4 == 1:
        raise InvalidRequest("The data is not valid base64.", param=place, code="invalid_value")
    return data + "=" * (-len(data) % 4)


def _head(data: str) -> bytes:
    return base64.b64decode(data[:32])


def _sniffed(data: str) -> str | None:
    """The image type that the first bytes of base64 `data` show."""
    head = _head(data)
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def _link(url: str, place: str) -> str:
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme.lower() != "https":
        raise InvalidRequest(
            f"The image address must be an https link or a data URL, not '{url[:40]}'.",
            param=place,
            code="invalid_value",
        )
    return url
