import base64
from urllib.parse import quote

import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.media import FileInput, document_block, image_block
from claude_proxy.wire.anthropic import Base64Source, FileSource, TextSource, UrlSource

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
def test_what_is_no_image_is_refused_with_its_path(url: str):
    with pytest.raises(InvalidRequest) as refusal:
        image_block(url, "messages[0].content[0].image_url")
    assert refusal.value.param == "messages[0].content[0].image_url"
    assert refusal.value.code == "invalid_value"


def test_a_pdf_is_known_by_its_bytes_or_its_type():
    pdf = b64(b"%PDF-1.7 ...")
    for data in (pdf, f"data:application/octet-stream;base64,{pdf}"):
        block = document_block(FileInput(file_data=data, filename="a.pdf"), "p")
        assert (block.source, getattr(block, "title", None)) == (Base64Source("application/pdf", pdf), "a.pdf")
    declared = document_block(FileInput(file_data="data:application/pdf;base64,AAAA"), "p")
    assert declared.source == Base64Source("application/pdf", "AAAA")


def test_text_of_any_type_is_a_plain_document():
    for data in (b64("größe".encode()), f"data:text/csv,{quote('größe')}"):
        assert document_block(FileInput(file_data=data), "p").source == TextSource("text/plain", "größe")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (f"data:text/csv;base64,{b64('größe;5 €'.encode('cp1252'))}", "größe;5 €"),
        (f"data:text/plain;charset=iso-8859-1;base64,{b64('größe'.encode('latin-1'))}", "größe"),
        (f"data:text/plain;charset=ISO-8859-1;base64,{b64('“größe”'.encode('cp1252'))}", "“größe”"),
        (f"data:text/plain;charset=latin1;base64,{b64(b'a' + bytes([0x81]))}", "a\x81"),
        (f"data:text/plain;charset=koi8-r;base64,{b64('привет'.encode('koi8-r'))}", "привет"),
        (f'data:text/plain;charset="shift_jis";base64,{b64("日本".encode("shift_jis"))}', "日本"),
        (f"data:text/plain;charset=utf-16le;base64,{b64('größe'.encode('utf-16-le'))}", "größe"),
        (f"data:text/plain;charset=utf-8;base64,{b64('größe'.encode('cp1252'))}", "größe"),
        (f"data:text/plain;charset=made-up;base64,{b64('größe'.encode())}", "größe"),
        ("data:text/plain;charset=iso-8859-1,gr%F6%DFe", "größe"),
        *((b64(mark + "größe".encode(name)), "größe") for mark, name in (
            (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"),
            (b"\xff\xfe\x00\x00", "utf-32-le"), (b"\x00\x00\xfe\xff", "utf-32-be"),
        )),
    ],
)  # fmt: skip
def test_text_is_decoded_by_its_mark_its_charset_or_as_windows_1252(url: str, text: str):
    assert document_block(FileInput(file_data=url), "p").source == TextSource("text/plain", text)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ("", "The file is empty"),
        ("data:text/plain;base64,", "The file is empty"),
        ("data:text/plain,", "The file is empty"),
        (f"data:text/plain;base64,{b64(b' ')}", "The file is empty"),
        (f"data:text/plain;base64,{b64(bytes([0xEF, 0xBB, 0xBF]))}", "The file is empty"),
        ("data:text/plain;base64,*", "not valid base64"),
        (f"data:text/plain;charset=utf-8;base64,{b64(bytes([0, 255]))}", "not text in its charset 'utf-8'"),
        (f"data:text/plain;charset=unicode_escape;base64,{b64(bytes([0, 255]))}", "charset 'unicode_escape'"),
        (f"data:text/csv;base64,{b64(bytes([0x81, 65]))}", "not text in UTF-8 or Windows-1252"),
        (f"data:application/zip;base64,{b64(b'PK' + bytes([3, 4, 255]))}", "Unsupported file type 'application/zip'"),
        (f"data:audio/mpeg;base64,{b64(b'ID' + bytes([255]))}", "Unsupported file type 'audio/mpeg'"),
    ],
)
def test_the_true_fault_of_a_file_is_named(data: str, fault: str):
    with pytest.raises(InvalidRequest, match=fault) as refusal:
        document_block(FileInput(file_data=data), "f")
    assert refusal.value.param == "f.file_data"


def test_an_image_that_came_as_a_file_is_an_image():
    data = b64(HEADS["image/gif"])
    assert document_block(FileInput(file_data=data), "p").source == Base64Source("image/gif", data)


def test_a_file_upstream_keeps_is_named():
    assert document_block(FileInput(file_id="file_011"), "p").source == FileSource("file_011")


@pytest.mark.parametrize(
    ("file", "param"),
    [
        (FileInput(), "f.file_data"),
        (FileInput(file_id=""), "f.file_data"),
        (FileInput(file_id="file-abc"), "f.file_id"),
        (FileInput(file_data=b64(b"\x00\xff\xfe")), "f.file_data"),
        (FileInput(file_data=b64(b" \n")), "f.file_data"),
        (FileInput(file_data="data:text/plain;base64,*"), "f.file_data"),
        (FileInput(file_data="***"), "f.file_data"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_path(file: FileInput, param: str):
    with pytest.raises(InvalidRequest) as refusal:
        document_block(file, "f")
    assert refusal.value.param == param
