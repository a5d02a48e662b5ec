"""Images and files: data URLs and links as Anthropic's image and document blocks.

The type in a data URL is often wrong (a JPEG called PNG, `image/jpg`), and upstream refuses the mismatch, so the first
bytes decide. Text may have any common encoding; upstream gets UTF-8. Links are passed on and never fetched here:
fetching an address from a request would make this a server-side request forgery.
"""

import base64
import codecs
import re
from urllib.parse import unquote_to_bytes, urlsplit

from msgspec import Struct

from claude_proxy.errors import InvalidRequest
from claude_proxy.wire import anthropic

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<params>(?:;[^,]*)?),(?P<data>.*)", re.DOTALL | re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*")
_SPACE = re.compile(r"\s+")


def image_block(url: str, param: str) -> anthropic.ImageBlock:
    """The image at `url`, a data URL or an https link; `param` is the path of its parameter, for the error."""
    if url[:5].lower() == "data:":
        media_type, _, data = _data_url(url, param)
        found = _sniffed(data) or media_type.replace("image/jpg", "image/jpeg")
        if found not in IMAGE_TYPES:
            raise InvalidRequest(
                f"Unsupported image type '{media_type}': Claude reads JPEG, PNG, GIF and WebP.",
                param=param,
                code="invalid_value",
            )
        return anthropic.ImageBlock(anthropic.Base64Source(found, data))
    return anthropic.ImageBlock(anthropic.UrlSource(_link(url, param)))


class FileInput(Struct, frozen=True):
    """A file that a client sent: its data as a data URL or in base64, or the id of a file stored at Anthropic."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


def document_block(file: FileInput, param: str) -> anthropic.DocumentBlock | anthropic.ImageBlock:
    """The file of a `file` part: a PDF, a text, or an image that came as a file."""
    if file.file_data is None:
        if not file.file_id:
            raise InvalidRequest(
                f"Missing required parameter: '{param}.file_data'.",
                param=f"{param}.file_data",
                code="missing_required_parameter",
            )
        if file.file_id.startswith("file-"):
            raise InvalidRequest(
                f"The file '{file.file_id}' is stored at OpenAI and cannot be read here; send its `file_data`.",
                param=f"{param}.file_id",
                code="unsupported_value",
            )
        return anthropic.DocumentBlock(anthropic.FileSource(file.file_id), title=file.filename)
    if file.file_data[:5].lower() != "data:":  # some clients send the bare base64
        media_type, charset, data = "", "", _checked_base64(file.file_data, f"{param}.file_data")
    else:
        media_type, charset, data = _data_url(file.file_data, f"{param}.file_data")
    if _head(data).startswith(b"%PDF-") or media_type == "application/pdf":
        return anthropic.DocumentBlock(anthropic.Base64Source("application/pdf", data), title=file.filename)
    if image := _sniffed(data):
        return anthropic.ImageBlock(anthropic.Base64Source(image, data))
    return anthropic.DocumentBlock(_text_source(media_type, charset, data, f"{param}.file_data"), title=file.filename)


def _text_source(media_type: str, charset: str, data: str, param: str) -> anthropic.TextSource:
    text = _decoded(media_type, charset, base64.b64decode(data), param)
    if not text.strip():
        raise _empty(param)
    return anthropic.TextSource("text/plain", text)


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Of Python's codecs those that are character sets of files: not `idna`, `unicode_escape` and such.
_CHARSET = re.compile(
    r"(?:utf|iso8859|cp|mac|koi8|kz|ptcp|gb|big5|euc|shift|johab|hz|iso2022|tis)[\w-]*|ascii|latin-?1"
)
_NEVER_TEXT = ("image/", "audio/", "video/", "font/")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def _decoded(media_type: str, charset: str, data: bytes, param: str) -> str:
    """The text of a file, by its byte order mark, its declared charset, as UTF-8 or as Windows-1252."""
    for mark, encoding in _BOMS:
        if data.startswith(mark) and (text := _decode(data[len(mark) :], encoding)) is not None:
            return text
    if charset and (text := _decode(data, charset)) is not None:
        return text
    if (text := _decode(data, "utf-8")) is not None:
        return text
    binary = media_type.startswith(_NEVER_TEXT) or _CONTROL.search(data) is not None
    if not binary and (text := _decode(data, "cp1252")) is not None:
        return text
    if charset or media_type.startswith("text/"):
        declared = f"its charset '{charset[:40]}'" if charset else "UTF-8 or Windows-1252"
        message = f"The file is not text in {declared}: send it as UTF-8, or name its charset in the data URL."
    else:
        message = f"Unsupported file type '{media_type or 'unknown'}': Claude reads PDF, text and image files."
    raise InvalidRequest(message, param=param, code="invalid_value")


def _decode(data: bytes, charset: str) -> str | None:
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return None
    if not _CHARSET.fullmatch(name):
        return None
    if name in ("iso8859-1", "ascii"):  # as browsers read these labels
        name = "cp1252" if not set(data) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "iso8859-1"
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        return None


def _empty(param: str) -> InvalidRequest:
    return InvalidRequest("The file is empty.", param=param, code="invalid_value")


_PARAM_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^;\"\s]+)", re.IGNORECASE)


def _data_url(url: str, param: str) -> tuple[str, str, str]:
    """The declared type and charset, and the data in plain base64."""
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise InvalidRequest("The data URL has no comma before its data.", param=param, code="invalid_value")
    media_type, params = found["type"].strip().lower(), found["params"]
    named = _PARAM_CHARSET.search(params)
    charset = named[1] if named else ""
    if "base64" in params.lower():
        return media_type, charset, _checked_base64(found["data"], param)
    return media_type, charset, base64.b64encode(unquote_to_bytes(found["data"])).decode("ascii")


def _checked_base64(data: str, param: str) -> str:
    if "%" in data:
        data = unquote_to_bytes(data).decode("ascii", "replace")
    data = data.replace("-", "+").replace("_", "/")
    if not _BASE64.fullmatch(data):
        raise InvalidRequest("The data is not valid base64.", param=param, code="invalid_value")
    data = _SPACE.sub("", data).rstrip("=")
    if not data:
        raise _empty(param)
    if len(data) % 4 == 1:
        raise InvalidRequest("The data is not valid base64.", param=param, code="invalid_value")
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


def _link(url: str, param: str) -> str:
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme.lower() != "https":
        raise InvalidRequest(
            f"The image address must be an https link or a data URL, not '{url[:40]}'.",
            param=param,
            code="invalid_value",
        )
    return url
