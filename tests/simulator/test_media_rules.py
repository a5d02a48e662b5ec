import base64
import struct

import pytest

from claude_proxy.simulator.api_error import ApiError

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff\xe0"
WEBP = b"RIFF\0\0\0\0WEBP"


def png(width=1, height=1):
    return PNG + struct.pack(">II", width, height)


def gif(width=1, height=1):
    return b"GIF89a" + struct.pack("<HH", width, height)


def image(data, media_type="image/png"):
    return {
        "type": "image",
        "source": {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()},
    }


def pdf(data=b"%PDF-1.7"):
    return {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(data).decode()},
    }


def link(kind, url):
    return {"type": kind, "source": {"type": "url", "url": url}}


def saying(*content):
    return {"messages": [{"role": "user", "content": list(content)}]}


MISMATCH = "The image was specified using the image/png media type, but the image appears to be a image/jpeg image"
AT = "messages.0.content.0.image.source.base64"


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (
            image(JPEG),
            f"{AT}: {MISMATCH}",
        ),
        (image(b"<svg/>"), f"{AT}.data: Could not process image"),
        (image(PNG), f"{AT}.data: Could not process image"),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "ab cd"}},
            f"{AT}.data: invalid base64 data",
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 10485764}},
            f"{AT}: image exceeds 10 MB maximum: 10485764 bytes > 10485760 bytes",
        ),
        (
            link("image", "http://example.com/"),
            "messages.0.content.0.image.source.url.url: Only HTTPS URLs are supported.",
        ),
        (pdf(b"hello"), "messages.0.content.0.document.source.base64.data: The PDF specified was not valid."),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": " "}},
            "messages.0.content.0.document.source.text.data: Document content must contain non-whitespace text",
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [image(JPEG)]}},
            ("messages.0.content.0.document.source.content.content.0.image.source.base64: " + MISMATCH),
        ),
    ],
)
def test_data_is_refused(asked, block, text):
    assert asked(**saying(block)).refused() == text


def test_data_of_every_kind_is_accepted(asked):
    asked(
        **saying(
            image(png()),
            image(gif(), "image/gif"),
            image(JPEG, "image/jpeg"),
            image(WEBP, "image/webp"),
            link("image", "https://example.com/a.png"),
            link("document", "https://example.com/a.pdf"),
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            pdf(),
            {"type": "document", "title": "t", "source": {"type": "content", "content": "text"}},
            {"type": "document", "source": {"type": "content", "content": [image(png())]}},
        )
    ).accepted()


def test_an_image_in_a_tool_result_is_looked_at_too(asked):
    question = asked(
        tools=[{"name": "t", "input_schema": {"type": "object"}}],
        messages=[
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [image(JPEG)]}]},
        ],
    )
    assert question.refused().startswith(
        "messages.2.content.0.tool_result.content.0.image.source.base64: The image was"
    )


def test_large_images_are_refused_with_their_paths(asked):
    large = [image(gif(9000, 1), "image/gif"), image(png()), image(png(1, 8001))]
    with pytest.raises(ApiError, match="exceed max allowed size: 8000 pixels") as caught:
        asked(**saying(*large)).accepted()
    assert caught.value.details == {
        "error_code": "image_dimensions_too_large",
        "max_side_length_pixels": 8000,
        "paths": ["messages.0.content.0", "messages.0.content.2"],
    }


def test_many_images_must_be_smaller(asked):
    asked(**saying(*[image(png(2001, 1))] * 20)).accepted()
    assert "exceed max allowed size: 2000 pixels" in asked(**saying(*[image(png(2001, 1))] * 21)).refused()
    many = asked(model="claude-haiku-4-5", **saying(*[link("image", "https://example.com/")] * 101))
    assert many.refused() == "messages: too many images and documents: 101 + 0 > 100"
