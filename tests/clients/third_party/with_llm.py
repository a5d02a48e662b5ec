"""The `llm` command line, its models named in its own file as its users do."""

import json
import os
from pathlib import Path

from checks import API_KEY, ASK_WEATHER, BASE_URL, DRAW, DRAWING, MODELS, NOBODY, PNG, Drawing, knows_the_weather, run
from click.testing import CliRunner

home = Path(os.environ["HOME"]) / "llm"
home.mkdir()
os.environ |= {"LLM_USER_PATH": str(home), "OPENAI_API_KEY": API_KEY}
# JSON is YAML.
(home / "extra-openai-models.yaml").write_text(
    json.dumps(
        [
            {
                "model_id": f"my-{model}",
                "model_name": model,
                "api_base": BASE_URL,
                "supports_schema": True,
                "supports_tools": True,
                "vision": True,
                "reasoning": True,
            }
            for model in (*MODELS, NOBODY)
        ]
    )
)

from llm.cli import cli  # noqa: E402 - it reads its directory when it is imported

FUNCTIONS = """
def get_weather(city: str) -> str:
    "The weather in a city."
    return {"Oslo": "3 degrees", "Rome": "20 degrees"}[city]
"""


def llm(model: str, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["-m", f"my-{model}", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def chat(model: str) -> None:
    assert "Hello" in llm(model, "Hello", "-s", "Be brief.", "--no-stream")


def stream_with_usage(model: str) -> None:
    done = CliRunner().invoke(cli, ["-m", f"my-{model}", "Hello\n/simulate text One two three.", "--usage"])
    assert done.stdout == "One two three.\n"
    assert "Token usage" in done.stderr
    assert "0 output" not in done.stderr


def conversation(model: str) -> None:
    llm(model, "My name is Ada.")
    assert "What" in llm(model, "-c", "What is my name?")


def tool_round_trip(model: str) -> None:
    assert knows_the_weather(llm(model, "--functions", FUNCTIONS, ASK_WEATHER))
    assert knows_the_weather(llm(model, "--functions", FUNCTIONS, ASK_WEATHER, "--no-stream"))


def structured_output(model: str) -> None:
    schema = json.dumps(Drawing.model_json_schema())
    assert Drawing.model_validate_json(llm(model, "--schema", schema, DRAW)) == DRAWING


def image(model: str) -> None:
    path = home / "pixel.png"
    path.write_bytes(PNG)
    assert "(image)" in llm(model, "-a", str(path), "What is this?")


def options(model: str) -> None:
    assert "Hello" in llm(model, "Hello", "-o", "temperature", "0.5", "-o", "reasoning_effort", "low")


def unknown_model(model: str) -> None:
    done = CliRunner().invoke(cli, ["-m", f"my-{NOBODY}", "Hello"])
    assert done.exit_code == 1
    assert f"The model `{NOBODY}` does not exist" in done.stderr


run(chat, stream_with_usage, conversation, tool_round_trip, structured_output, image, options, unknown_model)
