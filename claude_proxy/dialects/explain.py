"""What became of a request, in words: one line for each thing the client asked for, from the table's own rules."""

from collections.abc import Iterable

from claude_proxy.dialects.chat.parameters import EXTENSIONS, PARAMETERS
from claude_proxy.translate.draft import Note, Parameter, Translation

_KINDS: dict[str, str] = {"mapped": "mapped", "emulated": "emulated", "accepted": "ignored", "ignored": "ignored"}
_ROWS: dict[str, Parameter] = {row.name: row for row in (*PARAMETERS, *EXTENSIONS)}


def explained(given: Iterable[str], translation: Translation) -> list[tuple[str, str, str]]:
    """Rows of kind, parameter and reason: every note of the translation, and the rule of each parameter in `given`.

    `given` are the request's top-level keys that hold something. Kinds are mapped, changed, emulated, ignored and
    warning; a warning is what the client gets in `x-claude-proxy-warnings`.
    """
    rows: list[tuple[str, str, str]] = []
    for name in given:
        notes = [note for note in translation.notes if _belongs(note, name)]
        row = _ROWS.get(name)
        if row is not None and not any(note.param == name for note in notes):
            rows.append((_KINDS.get(row.fate, "mapped"), name, row.rule))
        rows += [(note.kind, note.param, note.text) for note in notes]
    told = {name for _, name, _ in rows}
    rows += [(note.kind, note.param, note.text) for note in translation.notes if note.param not in told]
    return rows


def _belongs(note: Note, name: str) -> bool:
    return note.param == name or note.param.startswith((f"{name}[", f"{name}."))
