import pytest
from anthropic.types import ModelInfo
from pydantic import TypeAdapter

from claude_proxy.simulator.model_table import MODELS, find_model, info, listed

_INFO = TypeAdapter(ModelInfo)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_a_row_is_what_the_sdk_calls_a_model(model):
    read = _INFO.validate_python(info(model))
    assert not read.model_extra
    assert read.line == model.line
    assert read.capabilities is not None
    assert {name for name, one in read.capabilities.thinking.types if one.supported} == model.thinking


def test_names_are_told_from_dates():
    names = {model.id: model.display_name for model in MODELS}
    assert names["claude-haiku-4-5-20251001"] == "Claude Haiku 4.5"
    assert names["claude-opus-5"] == "Claude Opus 5"
    assert names["claude-mythos-preview"] == "Claude Mythos Preview"


def test_an_alias_finds_the_dated_model():
    assert find_model("claude-opus-4-5") is find_model("claude-opus-4-5-20251101")
    assert find_model("claude-1") is None


def test_retired_models_are_listed_only_on_request():
    assert [model.id for model in listed(["retired"])] == ["claude-mythos-preview"]
    assert "claude-mythos-preview" not in [model.id for model in listed()]
