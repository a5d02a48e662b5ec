"""Drafts for tests of the middle, which knows no dialect."""

import json
from typing import Any

from claude_proxy.options import Options
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.models import model_for


def draft(model: str = "claude-opus-4-8", **options: Any) -> Draft:
    return Draft.begin(model_for(model, {}), Options(**options))


def warnings(made: Draft) -> list[tuple[str, str]]:
    """The parameter and text of each warning."""
    return [(note.param, note.text) for note in made.notes if note.kind == "warning"]


def as_json(value: Any) -> Any:
    """`value` as it goes upstream."""
    import msgspec

    return json.loads(msgspec.json.encode(value))
