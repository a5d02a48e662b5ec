import re

import pytest

from claude_proxy.errors import NotFound
from claude_proxy.simulator.model_table import CAPPED_WITHOUT_THINKING
from claude_proxy.simulator.model_table import MODELS as SIMULATED
from claude_proxy.translate.models import MODELS, SHIPPED, Target, model_for, resolve, to_openai_model
from claude_proxy.wire.anthropic import (
    EffortCapability,
    ModelCapabilities,
    ModelInfo,
    Supported,
    ThinkingCapability,
    ThinkingTypes,
)

YES = Supported(supported=True)


def test_a_known_model_is_its_row():
    assert model_for("claude-opus-5", {}) == MODELS["claude-opus-5"]


def test_a_dated_id_is_the_row_without_its_date():
    model = model_for("claude-haiku-4-5-20251001", {})
    assert (model.id, model.max_tokens, model.prefill) == ("claude-haiku-4-5-20251001", 64_000, True)


@pytest.mark.parametrize(
    ("unknown", "newest"),
    [
        ("claude-opus-9", "claude-opus-5-5"),
        ("claude-haiku-6", "claude-haiku-5-5"),
        ("claude-3-sonnet-20240229", "claude-sonnet-5-5"),
        ("gpt-4o", "claude-sonnet-5-5"),
        ("claude-mythos-preview", "claude-mythos-5-2"),
    ],
)
def test_an_unknown_id_is_taken_for_the_newest_of_its_line(unknown: str, newest: str):
    model = model_for(unknown, {})
    assert model.id == unknown
    assert model.thinking == MODELS[newest].thinking
    assert model.line == MODELS[newest].line


def test_what_upstream_tells_wins_over_the_table():
    types = ThinkingTypes(adaptive=YES, enabled=YES)
    effort = EffortCapability(supported=True, low=YES, max=YES, high=Supported())
    capabilities = ModelCapabilities(effort=effort, thinking=ThinkingCapability(supported=True, types=types))
    info = ModelInfo("claude-opus-5", max_tokens=5, max_input_tokens=6, capabilities=capabilities)
    model = model_for("claude-opus-5", {info.id: info})
    assert (model.max_tokens, model.max_input_tokens) == (5, 6)
    assert model.thinking == {"adaptive", "enabled"}
    assert model.efforts == ("low", "max")
    assert model.fast


def test_what_upstream_does_not_tell_stays():
    row = MODELS["claude-opus-4-5"]
    for capabilities in (None, ModelCapabilities()):
        assert model_for(row.id, {row.id: ModelInfo(row.id, capabilities=capabilities)}) == row
    none = ModelInfo(row.id, capabilities=ModelCapabilities(effort=EffortCapability(low=YES)))
    assert model_for(row.id, {row.id: none}).efforts == ()


@pytest.mark.parametrize("row", SIMULATED, ids=[row.id for row in SIMULATED])
def test_the_table_agrees_with_what_the_simulated_upstream_enforces(row):
    if row.lifecycle == "retired" or (model := MODELS.get(re.sub(r"-\d{8}$", "", row.id))) is None:
        return
    assert model.thinking == row.thinking
    assert model.thinks == row.thinks
    assert model.efforts == row.efforts
    assert model.disabled_up_to_high == (row.id in CAPPED_WITHOUT_THINKING)
    assert (model.sampling, model.prefill, model.fast) == (row.sampling, row.prefill, row.fast)
    assert (model.forced_tools == "refused") == (not row.forced_choice)
    assert (model.max_tokens, model.max_input_tokens) == (row.max_tokens, row.context)
    assert model.binds_thinking >= row.binds
    assert row.system_role == "accepted" or not model.system_messages


ALIASES = {"gpt-4o": "sonnet", "mine": "anthropic/claude-opus-5", "old": "claude-2"}
LIVE = (
    ModelInfo("claude-sonnet-7", line="sonnet", lifecycle="retired"),
    ModelInfo("claude-sonnet-6"),
    ModelInfo("claude-sonnet-5"),
    ModelInfo("claude-2", lifecycle="retired"),
)


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("claude-opus-5", "claude-opus-5"),
        ("anthropic/claude-opus-5", "claude-opus-5"),
        ("claude/claude-opus-5", "claude-opus-5"),
        ("sonnet", "claude-sonnet-6"),
        ("gpt-4o", "claude-sonnet-6"),
        ("anthropic/gpt-4o", "claude-sonnet-6"),
        ("mine", "claude-opus-5"),
        ("opus", "claude-opus-5-5"),
        ("nobody-knows", "nobody-knows"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
    ],
)
def test_names_are_resolved(name: str, id_: str):
    assert resolve(name, ALIASES, LIVE) == Target(id_)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("haiku", ("claude-3-haiku-20240307 claude-3-5-haiku-20241022 claude-3.5-haiku claude-3-5-haiku-latest "
                  "claude-instant-1.2 anthropic/claude-3.5-haiku:beta")),
        ("sonnet", ("claude-3-5-sonnet-20241022 claude-3-5-sonnet-20240620 claude-3-5-sonnet-latest claude-3.5-sonnet "
                   "anthropic/claude-3.7-sonnet:thinking claude-3-7-sonnet-20250219 claude-sonnet-4-20250514 "
                   "claude-sonnet-4-0 claude-3-5-sonnet@20240620 "
                    "anthropic.claude-3-5-sonnet-20241022-v2:0 claude-2.1")),
        ("opus", ("claude-3-opus-20240229 claude-3-opus-latest claude-opus-4-20250514 claude-opus-4-0 claude-opus-4 "
                 "claude-opus-4-1-20250805")),
        ("mythos", "claude-mythos-preview"),
    ],
)  # fmt: skip
def test_a_retired_model_means_the_newest_of_its_line(line: str, names: str):
    for name in names.split():
        target = resolve(name, {}, SHIPPED)
        assert target.id == next(info.id for info in SHIPPED if info.line == line)
        assert target.instead_of == name.removeprefix("anthropic/")


def test_the_successor_is_the_newest_active_model_that_upstream_lists():
    assert resolve("claude-3-5-sonnet-20241022", ALIASES, LIVE) == Target(
        "claude-sonnet-6", "claude-3-5-sonnet-20241022"
    )


@pytest.mark.parametrize("name", ["claude-sonnet-7", "claude-haiku-8-20270101", "claude-haiku-8"])
def test_a_model_that_upstream_lists_as_retired_needs_no_row(name: str):
    live = (*LIVE, ModelInfo("claude-haiku-8-20270101", lifecycle="retired"))
    target = resolve(name, {}, live)
    assert target.instead_of == name
    assert target.id in ("claude-sonnet-6", "claude-haiku-5-5")


def test_a_model_that_upstream_still_serves_is_not_retired():
    live = (ModelInfo("claude-opus-4-1-20250805", lifecycle="deprecated"), *LIVE)
    for name in ("claude-opus-4-1-20250805", "claude-opus-4-1"):
        assert resolve(name, {}, live) == Target(name)


def test_a_retired_model_is_refused_where_the_setting_says_so():
    with pytest.raises(NotFound) as refusal:
        resolve("anthropic/claude-3.5-sonnet", {}, LIVE, retired="refuse")
    assert (refusal.value.status, refusal.value.param, refusal.value.code) == (404, "model", "model_not_found")
    assert "'claude-3.5-sonnet' is retired. Its successor is 'claude-sonnet-6'" in refusal.value.message


@pytest.mark.parametrize("name", ["old", "older", "anthropic/older"])
def test_an_alias_of_a_retired_model_is_reported_and_not_sent(name: str):
    with pytest.raises(NotFound, match="claude-sonnet-6") as refusal:
        resolve(name, {**ALIASES, "older": "claude-3-5-sonnet-latest"}, LIVE)
    assert (refusal.value.param, refusal.value.code) == ("model", "model_not_found")
    assert refusal.value.hint == "change the alias"


def test_an_alias_may_bear_the_name_of_a_retired_model():
    assert resolve("claude-3-5-sonnet-latest", {"claude-3-5-sonnet-latest": "opus"}, SHIPPED).id == "claude-opus-5-5"


def test_the_successor_has_its_own_facts_and_knows_whom_it_replaces():
    model = model_for("claude-opus-5", {}, instead_of="claude-3-opus-latest")
    assert model.instead_of == "claude-3-opus-latest"
    assert model.thinking == MODELS["claude-opus-5"].thinking


def test_a_model_in_openais_shape():
    info = ModelInfo(
        "claude-x-1", "Claude X", "2025-10-01T00:00:00Z", max_input_tokens=9, retires_at="2027-01-02T00:00:00Z"
    )
    model = to_openai_model(info)
    assert (model.created, model.shutdown_date, model.owned_by) == (1_759_276_800, "2027-01-02", "anthropic")
    assert (model.display_name, model.context_length, model.max_model_len) == ("Claude X", 9, 9)
    assert to_openai_model(ModelInfo("y")).created == 0


def test_the_shipped_list_is_the_table():
    assert [info.id for info in SHIPPED] == list(MODELS)
    haiku = next(info for info in SHIPPED if info.id == "claude-haiku-4-5")
    assert (haiku.display_name, haiku.created_at, haiku.line) == ("Claude Haiku 4.5", "2025-10-01T00:00:00Z", "haiku")
