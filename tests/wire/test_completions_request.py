import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.wire.completions_request import read_completions_request


def test_unknown_fields_are_named_at_every_depth():
    body = b'{"model":"m","prompt":"p","mystery":1,"nothing":null,"stream_options":{"x":1}}'
    request, unknown = read_completions_request(body)
    assert (request.model, bytes(request.prompt)) == ("m", b'"p"')
    assert unknown == {"mystery", "stream_options.x"}


def test_halves_of_surrogate_pairs_are_replaced():
    request, _ = read_completions_request(b'{"model":"m","user":"\\ud83d"}')
    assert request.user == "\ufffd"


@pytest.mark.parametrize(
    ("body", "param"),
    [(b"{", None), (b"[]", None), (b"{}", "model"), (b'{"model":"m","n":"1"}', "n"), (b'{"model":"\xff"}', None)],
)
def test_a_fault_is_refused_with_its_place(body: bytes, param: str | None):
    with pytest.raises(InvalidRequest) as refusal:
        read_completions_request(body)
    assert refusal.value.param == param
