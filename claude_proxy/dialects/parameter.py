"""The row type of a dialect's parameter table, which documents what becomes of each parameter."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Parameter:
    """The fate of one parameter: a row of the table that README and `explain` print and a test checks.

    A row documents; the dialect's `request.py` acts. `theirs` says what Anthropic's own OpenAI-compatible endpoint
    does with the parameter, according to its documentation.
    """

    name: str
    fate: Literal["mapped", "emulated", "accepted", "ignored", "refused"]
    rule: str
    theirs: str
