import base64
from urllib.parse import quote

import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.media import document_block, image_block
from claude_proxy.wire.anthropic import Base64Source, FileSource, TextSource, UrlSource
from claude_proxy.wire.chat_request import FileData

HEADS = {
    "image/jpeg": b"\xff\xd8\xff\xe0" + bytes(20),
    "image/png": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "image/gif": b"GIF89a" + bytes(20),
    "image/webp": b"RIFF\x00\x00\x00\x00WEBP" + bytes(20),
}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("declared", ["image/png", "image/jpg", "IMAGE/JPEG", "image/bmp", "", "text/plain"])
@pytest.mark.parametrize("real", HEADS)
def test_the_first_bytes_say_what_an_image_is(declared: str, real: str):
    source = image_block(f"data:{declared};base64,{b64(HEADS[real])}", "p").source
    assert source == Base64Source(real, b64(HEADS[real]))


@pytest.mark.parametrize(
    "url",
    [
        "data:image/jpg;base64,AAAA",
        "DATA:image/jpeg;charset=x;BASE64,AA%41A",
        "data:image/jpeg;base64,AA\nAA",
        "data:image/jpeg,%00%00%00",
    ],
)
def test_a_declared_type_is_believed_where_the_bytes_say_nothing(url: str):
    assert image_block(url, "p").source == Base64Source("image/jpeg", "AAAA")


def test_base64_of_the_url_alphabet_and_without_padding_is_made_plain():
    assert image_block("data:image/png;base64,-_-_AA", "p").source == Base64Source("image/png", "+/+/AA==")


@pytest.mark.parametrize("url", ["https://example.org/a.png", "HTTPS://example.org"])
def test_an_https_link_is_passed_on(url: str):
    assert image_block(url, "p").source == UrlSource(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.png", "ftp://x", "", "a.png", "https//x", "http://[broken", "data:image/png;base64",
        "data:image/png;base64,", "data:image/png;base64,A", "data:image/png;base64,é", "data:image/svg+xml,<svg/>",
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused_with_its_place(url: str):
    with pytest.raises(InvalidRequest) as refusal:
        image_block(url, "messages[0].content[0].image_url")
    assert refusal.value.param == "messages[0].content[0].image_url"
    assert refusal.value.code == "invalid_value"


def test_a_pdf_is_known_by_its_bytes_or_its_type():
    pdf = b64(b"%PDF-1.7 ...")
    for data in (pdf, f"data:application/octet-stream;base64,{pdf}"):
        block = document_block(FileData(file_data=data, filename="a.pdf"), "p")
        assert (block.source, getattr(block, "title", None)) == (Base64Source("application/pdf", pdf), "a.pdf")
    declared = document_block(FileData(file_data="data:application/pdf;base64,AAAA"), "p")
    assert declared.source == Base64Source("application/pdf", "AAAA")


def test_text_of_any_type_is_a_plain_document():
    for data in (b64("größe".encode()), f"data:text/csv,{quote('größe')}"):
        assert document_block(FileData(file_data=data), "p").source == TextSource("text/plain", "größe")


def test_an_image_that_came_as_a_file_is_an_image():
    data = b64(HEADS["image/gif"])
    assert document_block(FileData(file_data=data), "p").source == Base64Source("image/gif", data)


def test_a_file_upstream_keeps_is_named():
    assert document_block(FileData(file_id="file_011"), "p").source == FileSource("file_011")


@pytest.mark.parametrize(
    ("file", "param"),
    [
        (FileData(), "f.file_data"),
        (FileData(file_id=""), "f.file_data"),
        (FileData(file_id="file-abc"), "f.file_id"),
        (FileData(file_data=b64(b"\x00\xff\xfe")), "f.file_data"),
        (FileData(file_data=b64(b" \n")), "f.file_data"),
        (FileData(file_data="data:text/plain;base64,*"), "f.file_data"),
        (FileData(file_data="***"), "f.file_data"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_place(file: FileData, param: str):
    with pytest.raises(InvalidRequest) as refusal:
        document_block(file, "f")
    assert refusal.value.param == param
