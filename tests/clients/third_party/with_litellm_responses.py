"""LiteLLM's `responses` as a client."""

import os
import warnings

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches its price list while it is imported

import litellm
from checks import API_KEY, ASK_WEATHER, BASE_URL, NOBODY, knows_the_weather, raises, run

litellm.suppress_debug_info = True
# It writes usage of its own form into OpenAI's, and warns of that itself.
warnings.filterwarnings("ignore", message="(?s).*ResponseAPIUsage", category=UserWarning)
TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
WEATHER = ("3 degrees", "20 degrees")


def ask(model: str, given: object, **settings: object):
    return litellm.responses(
        input=given,
        model=f"openai/{model}",
        api_base=BASE_URL,
        api_key=API_KEY,
        num_retries=0,
        max_retries=0,
        **settings,
    )


def chat(model: str) -> None:
    answer = ask(model, "Hello", instructions="Be brief.", max_output_tokens=500)
    assert "Hello" in answer.output_text
    assert answer.usage.output_tokens > 0


def stream(model: str) -> None:
    events = list(ask(model, "Hello\n/simulate text One two three.", stream=True))
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(said) == "One two three."
    assert events[-1].type == "response.completed"


def tool_round_trip(model: str) -> None:
    asked = [{"role": "user", "content": ASK_WEATHER}]
    first = ask(model, asked, tools=[TOOL])
    items = [item if isinstance(item, dict) else item.model_dump(exclude_none=True) for item in first.output]
    calls = [item for item in items if item["type"] == "function_call"]
    assert len(calls) == 2
    outputs = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": degrees}
        for call, degrees in zip(calls, WEATHER, strict=True)
    ]
    assert knows_the_weather(ask(model, [*asked, *items, *outputs], tools=[TOOL]).output_text)


def unknown_model(model: str) -> None:
    with raises(litellm.NotFoundError):
        ask(NOBODY, "Hello")


run(chat, stream, tool_round_trip, unknown_model)
