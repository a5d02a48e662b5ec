from pathlib import Path

import pytest

from claude_proxy.recipes import RECIPES, Recipe, snippet

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_readme_shows_each_recipe_as_it_is(recipe: Recipe) -> None:
    assert f"```{recipe.language}\n{recipe.text}```" in README


def test_a_snippet_names_the_server_s_own_address() -> None:
    for recipe in RECIPES:
        text = snippet(recipe, "http://127.0.0.1:9/openai/v1")
        assert "localhost:8000" not in text


def test_where_a_key_is_required_a_placeholder_stands_for_it() -> None:
    python, node, curl, _ = (snippet(recipe, "http://localhost:8000/openai/v1", needs_key=True) for recipe in RECIPES)
    assert 'api_key="YOUR_KEY"' in python
    assert "apiKey: 'YOUR_KEY'" in node
    assert "-H 'authorization: Bearer YOUR_KEY' \\\n" in curl
