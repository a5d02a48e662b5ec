"""instructor, in each of its modes for OpenAI's API."""

import logging
from collections.abc import Iterable

import instructor
import openai
from checks import API_KEY, BASE_URL, DRAW, DRAW_BY_TOOL, DRAWING, NOBODY, WEATHER, Drawing, raises, run
from instructor import Mode
from instructor.core import InstructorRetryException
from pydantic import BaseModel, Field

logging.getLogger("instructor").setLevel(logging.CRITICAL)  # it logs each failure that it then raises
raw = openai.OpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0)
CASES = {
    Mode.TOOLS: DRAW_BY_TOOL,
    Mode.TOOLS_STRICT: DRAW_BY_TOOL,
    Mode.JSON_SCHEMA: DRAW,
    Mode.JSON: DRAW,
    Mode.MD_JSON: DRAW,
}


class City(BaseModel):
    """With bounds, which the upstream's grammar does not take."""

    name: str = Field(min_length=2, max_length=40)
    degrees: int = Field(ge=-90, le=60)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def every_mode(model: str) -> None:
    for mode, prompt in CASES.items():
        client = instructor.from_openai(raw, mode=mode)
        drawing = client.create(model=model, messages=user(prompt), response_model=Drawing, max_retries=0)
        assert drawing.model_dump() == DRAWING.model_dump(), mode  # its class is a child of ours


def every_mode_with_bounds(model: str) -> None:
    for mode in CASES:
        client = instructor.from_openai(raw, mode=mode)
        line = "tool #1" if "tool" in mode.value else "text"
        messages = user(f'How warm?\n/simulate {line} {{"name": "Oslo", "degrees": 3}}')
        assert client.create(model=model, messages=messages, response_model=City, max_retries=0).degrees == 3, mode


def a_second_try(model: str) -> None:
    """The answer breaks a bound; it comes back with the complaint, as the result of the call."""
    client = instructor.from_openai(raw, mode=Mode.TOOLS)
    messages = user(
        'How warm?\n/simulate tool #1 {"name": "Oslo", "degrees": 300}'
        '\n/simulate next\n/simulate tool #1 {"name": "Oslo", "degrees": 3}'
    )
    assert client.create(model=model, messages=messages, response_model=City, max_retries=1).degrees == 3


def partial(model: str) -> None:
    for mode in (Mode.TOOLS, Mode.JSON_SCHEMA):
        client = instructor.from_openai(raw, mode=mode)
        drawings = list(client.create_partial(model=model, messages=user(CASES[mode]), response_model=Drawing))
        assert len(drawings) > 1, mode
        assert drawings[-1].model_dump() == DRAWING.model_dump(), mode


def several_calls(model: str) -> None:
    client = instructor.from_openai(raw, mode=Mode.PARALLEL_TOOLS)
    calls = "".join(f'\n/simulate tool City {{"name": "{city}", "degrees": 3}}' for city in WEATHER)
    cities = client.create(model=model, messages=user("How warm?" + calls), response_model=Iterable[City])
    assert [city.name for city in cities] == list(WEATHER)


def with_its_completion(model: str) -> None:
    client = instructor.from_openai(raw, mode=Mode.JSON_SCHEMA)
    drawing, completion = client.create_with_completion(model=model, messages=user(DRAW), response_model=Drawing)
    assert drawing.model_dump() == DRAWING.model_dump()
    assert completion.usage.total_tokens > 0


def plain(model: str) -> None:
    client = instructor.from_openai(raw)
    assert "Hello" in client.create(model=model, messages=user("Hello"), response_model=None).choices[0].message.content
    assert isinstance(client.create(model=model, messages=user(DRAW_BY_TOOL), response_model=Drawing), Drawing)


def unknown_model(model: str) -> None:
    client = instructor.from_openai(raw)
    with raises(InstructorRetryException) as caught:
        client.create(model=NOBODY, messages=user("Hello"), response_model=City, max_retries=0)
    assert caught.error.__cause__.code == "model_not_found"


run(
    every_mode,
    every_mode_with_bounds,
    a_second_try,
    partial,
    several_calls,
    with_its_completion,
    plain,
    unknown_model,
)
