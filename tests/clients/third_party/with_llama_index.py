"""LlamaIndex's OpenAILike: chat, an agent, and both of its ways to a typed answer."""

import openai
from checks import (
    API_KEY,
    ASK_WEATHER,
    BASE_URL,
    DRAW,
    DRAW_BY_TOOL,
    DRAWING,
    NOBODY,
    PDF,
    PNG,
    Drawing,
    get_weather,
    knows_the_weather,
    raises,
    run,
)
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, DocumentBlock, ImageBlock, TextBlock, ThinkingBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

SAID = PromptTemplate("{text}")


def chat_model(model: str, **settings: object) -> OpenAILike:
    return OpenAILike(
        model=model,
        api_base=BASE_URL,
        api_key=API_KEY,
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
        **settings,
    )


def chat(model: str) -> None:
    messages = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="Hello")]
    response = chat_model(model).chat(messages)
    assert "Hello" in response.message.content
    assert response.raw.usage.total_tokens > 0
    assert "Hello" in chat_model(model).complete("Hello").text


def stream_with_usage(model: str) -> None:
    llm = chat_model(model, additional_kwargs={"stream_options": {"include_usage": True}})
    *some, last = llm.stream_chat([ChatMessage(role="user", content="Hello\n/simulate text One two three.")])
    assert len(some) > 2
    assert last.message.content == "One two three."
    assert last.raw.usage.completion_tokens > 0


def reasoning(model: str) -> None:
    llm = chat_model(model, additional_kwargs={"reasoning_effort": "low"})
    *_, streamed = llm.stream_chat([ChatMessage(role="user", content="Hello")])
    for response in (llm.chat([ChatMessage(role="user", content="Hello")]), streamed):
        assert any(isinstance(block, ThinkingBlock) and block.content for block in response.message.blocks)


def tool_round_trip(model: str) -> None:
    llm, tool = chat_model(model), FunctionTool.from_defaults(get_weather)
    asked = ChatMessage(role="user", content=ASK_WEATHER)
    response = llm.chat_with_tools([tool], chat_history=[asked], allow_parallel_tool_calls=True)
    calls = llm.get_tool_calls_from_response(response)
    assert [call.tool_name for call in calls] == ["get_weather"] * 2
    history = [asked, response.message]
    for call in calls:
        result = get_weather(**call.tool_kwargs)
        history.append(ChatMessage(role="tool", content=result, additional_kwargs={"tool_call_id": call.tool_id}))
    assert knows_the_weather(llm.chat_with_tools([tool], chat_history=history).message.content)


async def agent(model: str) -> None:
    """Streams, and runs the tools by itself."""
    agent = FunctionAgent(tools=[get_weather], llm=chat_model(model), system_prompt="Be brief.")
    assert knows_the_weather(str(await agent.run(ASK_WEATHER)))


def structured_output_by_tool(model: str) -> None:
    assert chat_model(model).structured_predict(Drawing, SAID, text=DRAW_BY_TOOL) == DRAWING


def structured_output_by_schema(model: str) -> None:
    llm = chat_model(model, should_use_structured_outputs=True)
    assert llm.structured_predict(Drawing, SAID, text=DRAW) == DRAWING
    assert llm.as_structured_llm(Drawing).chat([ChatMessage(role="user", content=DRAW)]).raw == DRAWING


def structured_output_streamed(model: str) -> None:
    *_, last = chat_model(model).stream_structured_predict(Drawing, SAID, text=DRAW_BY_TOOL)
    assert last.model_dump() == DRAWING.model_dump()


def media(model: str) -> None:
    shown = [
        ImageBlock(image=PNG, image_mimetype="image/png"),
        ImageBlock(url="https://example.com/picture.png"),
        DocumentBlock(data=PDF, document_mimetype="application/pdf", title="a.pdf"),
    ]
    said = chat_model(model).chat([ChatMessage(role="user", blocks=[TextBlock(text="Look."), *shown])]).message.content
    assert [said.count("(image)"), said.count("(document)")] == [2, 1]


def unknown_model(model: str) -> None:
    with raises(openai.NotFoundError) as caught:
        chat_model(NOBODY).complete("Hello")
    assert caught.error.code == "model_not_found"


run(
    chat,
    stream_with_usage,
    reasoning,
    tool_round_trip,
    agent,
    structured_output_by_tool,
    structured_output_by_schema,
    structured_output_streamed,
    media,
    unknown_model,
)
