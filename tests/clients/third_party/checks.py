"""What the programs beside this file share: where the daemon is, which models, and what they ask for."""

import asyncio
import base64
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Literal

from pydantic import BaseModel

BASE_URL = os.environ["OPENAI_BASE_URL"]
API_KEY = "any"

# One that thinks when it is asked to and can be forced to call a tool; one that always thinks, binds its thinking to
# the conversation and cannot be forced; one that thinks unless a call is forced.
MODELS = ("claude-sonnet-4-5", "claude-opus-5-5", "claude-haiku-5-5")
NOBODY = "claude-nobody-1"


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Author(BaseModel):
    name: str
    born: int | None


class Drawing(BaseModel):
    """Nested, with a list of a union, and with a value that may be null."""

    title: str
    author: Author
    shapes: list[Circle | Square]


DRAWING = Drawing(
    title="Two",
    author=Author(name="Ada", born=None),
    shapes=[Circle(kind="circle", radius=1.5), Square(kind="square", side=2)],
)
# What a user says to get that drawing as the answer's text, or as the input of the first tool.
DRAW = f"Draw two shapes.\n/simulate text {DRAWING.model_dump_json()}"
DRAW_BY_TOOL = f"Draw two shapes.\n/simulate tool #1 {DRAWING.model_dump_json()}"


def get_weather(city: str) -> str:
    """The weather in a city."""
    return WEATHER[city]


WEATHER = {"Oslo": "3 degrees", "Rome": "20 degrees"}
ASK_WEATHER = """What is the weather in Oslo and in Rome?
/simulate text I will look.
/simulate tool get_weather {"city": "Oslo"}
/simulate tool get_weather {"city": "Rome"}"""


# What a user shows; the simulator says what it was shown, as `(image)` or `(document)`.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n"

# A refusal, and an answer that is cut.
REFUSED = "Do it.\n/simulate refusal I will not."
CUT = "Tell me.\n/simulate text One two\n/simulate stop max_tokens"


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def knows_the_weather(text: str) -> bool:
    """Whether an answer repeats both results of `get_weather`, as the simulator does."""
    return all(degrees in text for degrees in WEATHER.values())


@contextmanager
def raises(kind: type[Exception]) -> Iterator[SimpleNamespace]:
    """Yields what will hold the `error` of this kind that the block must end with."""
    caught = SimpleNamespace()
    try:
        yield caught
    except kind as error:
        caught.error = error
    else:
        raise AssertionError(f"no {kind.__name__}")


def run(*features: Callable[[str], object]) -> None:
    """Try each feature with each model, and print a line for each that works; the first that does not ends it."""
    # One loop for all: the libraries keep connections, which live no longer than their loop.
    with asyncio.Runner() as runner:
        for feature in features:
            for model in MODELS:
                result = feature(model)
                if inspect.iscoroutine(result):
                    runner.run(result)
                print(f"{model}: {feature.__name__}", flush=True)
