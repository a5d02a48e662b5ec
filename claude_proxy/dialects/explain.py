"""What became of a request, in words: the rule of each parameter given, and every note of the translation."""

from collections.abc import Iterable

from claude_proxy.dialects.parameter import Parameter
from claude_proxy.translate.draft import Note, Translation

_KINDS: dict[str, str] = {"mapped": "mapped", "emulated": "emulated", "accepted": "ignored", "ignored": "ignored"}


def explained(
    given: Iterable[str], translation: Translation, parameters: Iterable[Parameter]
) -> list[tuple[str, str, str]]:
    """Rows of kind, parameter and reason: every note of the translation, and the rule of each parameter in `given`.

    `given` are the request's top-level keys that hold a value, `parameters` the table of the request's dialect.
    Kinds are mapped, changed, emulated, ignored and warning; a warning is what the client gets in
    `x-claude-proxy-warnings`.
    """
    table = {row.name: row for row in parameters}
    rows: list[tuple[str, str, str]] = []
    for name in given:
        notes = [note for note in translation.notes if _concerns(note, name)]
        row = table.get(name)
        if row is not None and not any(note.param == name for note in notes):
            rows.append((_KINDS.get(row.fate, "mapped"), name, row.rule))
        rows += [(note.kind, note.param, note.text) for note in notes]
    shown = {name for _, name, _ in rows}
    rows += [(note.kind, note.param, note.text) for note in translation.notes if note.param not in shown]
    return rows


def _concerns(note: Note, name: str) -> bool:
    return note.param == name or note.param.startswith((f"{name}[", f"{name}."))
