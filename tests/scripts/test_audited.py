import json
from pathlib import Path
from typing import Any

import pytest

from scripts.audited import main

SAFE = {"name": "good", "version": "1.0", "vulns": []}
KNOWN = {"name": "bad", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}
UNFIXED = {"name": "worse", "version": "3.0", "vulns": [{"id": "CVE-2", "fix_versions": []}]}
SKIPPED = {"name": "odd", "skip_reason": "nobody knows it"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SAFE, SAFE], 0, "audited: nothing is known against the 2 locked versions"),
        ([SAFE, KNOWN, UNFIXED], 1, "dev.txt: bad 2.0: CVE-1, fixed in 2.1\ndev.txt: worse 3.0: CVE-2\nVULNERABLE"),
        ([SAFE, SKIPPED], 3, "dev.txt: 1 of 2 could not be looked up\nNOT AUDITED"),
        ([KNOWN, SKIPPED], 1, "VULNERABLE"),
        (None, 3, "dev.txt: no answer\nNOT AUDITED"),
    ],
)
def test_what_is_known_and_what_could_not_be_asked_are_told_apart(
    packages: list[dict[str, Any]] | None, code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dev.txt").touch()
    if packages is not None:
        (tmp_path / "dev.json").write_text(json.dumps({"dependencies": packages, "fixes": []}))
    assert main([str(tmp_path), str(tmp_path)]) == code
    assert said in capsys.readouterr().err
