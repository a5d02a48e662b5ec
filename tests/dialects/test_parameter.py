import dataclasses

import pytest

from claude_proxy.dialects.parameter import Parameter


def test_a_row_documents_and_cannot_be_changed():
    row = Parameter("seed", "ignored", "there is none", "ignored")
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.rule = "x"  # type: ignore[misc] # this is what must fail
