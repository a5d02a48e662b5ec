import pytest

from claude_proxy.dialects.responses.dialect import RESPONSES
from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.translate.models import model_for


def test_a_request_tells_its_model_and_whether_it_is_streamed():
    request = RESPONSES.read(b'{"model":"opus","input":"Hi","stream":true}')
    assert (request.model, request.stream) == ("opus", True)
    assert not RESPONSES.read(b'{"model":"opus","input":"Hi","stream":null}').stream


def test_a_request_is_one_messages_request_and_one_response():
    request = RESPONSES.read(b'{"model":"opus","input":"Hi"}')
    translated = request.translate(model=model_for("claude-opus-4-8", {}), options=Options(), memory=None)
    assert [each.choices for each in translated.translations] == [1]
    assert len(translated.streamed(id_="a", created=1).choices) == 1
    assert translated.streamed(id_="a", created=1).id == "resp_a"


def test_unknown_fields_reach_the_translation():
    request = RESPONSES.read(b'{"model":"opus","input":"Hi","mystery":1}')
    with pytest.raises(InvalidRequest) as refusal:
        request.translate(model=model_for("claude-opus-4-8", {}), options=Options(strict=True), memory=None)
    assert refusal.value.param == "mystery"
