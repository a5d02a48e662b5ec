"""How tools are pointed at this server: the snippets that the page shows, one place for all who show them."""

from typing import NamedTuple

BASE_URL = "http://localhost:8000/openai/v1"  # the default; `snippet` puts the real one in


class Recipe(NamedTuple):
    """What to paste for one client. `text` is written for the default address and for a server without a key."""

    name: str
    title: str
    language: str
    text: str


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "python",
        "Python: the openai package",
        "python",
        """from openai import OpenAI

client = OpenAI(base_url="http://localhost:8000/openai/v1", api_key="any")
stream = client.chat.completions.create(
    model="sonnet",
    messages=[{"role": "user", "content": "Why is the sky blue?"}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
""",
    ),
    Recipe(
        "node",
        "Node: the openai package",
        "javascript",
        """import OpenAI from 'openai';

const client = new OpenAI({ baseURL: 'http://localhost:8000/openai/v1', apiKey: 'any' });
const completion = await client.chat.completions.create({
  model: 'sonnet',
  messages: [{ role: 'user', content: 'Why is the sky blue?' }],
});
console.log(completion.choices[0].message.content);
""",
    ),
    Recipe(
        "curl",
        "curl",
        "bash",
        """curl http://localhost:8000/openai/v1/chat/completions \\
  -H 'content-type: application/json' \\
  -d '{"model": "sonnet", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}'
""",
    ),
    Recipe(
        "environment",
        "Any program that reads the environment",
        "bash",
        """eval "$(claude-proxy env)" # OPENAI_BASE_URL and OPENAI_API_KEY for this shell
""",
    ),
)


def snippet(recipe: Recipe, base_url: str, *, needs_key: bool = False) -> str:
    """The recipe's text for a server at `base_url`. Where a key is required a placeholder stands for it."""
    text = recipe.text.replace(BASE_URL, base_url)
    if needs_key:
        text = text.replace('"any"', '"YOUR_KEY"').replace("'any'", "'YOUR_KEY'")
        text = text.replace("  -H 'content-type", "  -H 'authorization: Bearer YOUR_KEY' \\\n  -H 'content-type")
    return text
