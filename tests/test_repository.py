"""What holds for the repository as a whole: its scripts, its documents, and what must never be in it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from claude_proxy import __version__
from scripts import manual, tables

ROOT = Path(__file__).parents[1]

# Put together here, so that this file does not hold what it looks for.
REGISTRIES = ["files." + "pythonhosted.org", "pypi" + ".org/simple", "registry." + "npmjs.org", "deb." + "debian.org"]
LOCAL_PATHS = ["/" + place + "/" for place in ("work", "farm", "root", "tmp/probe")]
SECRET = re.compile(r"sk-ant-(?:api|oat|ort)\d\d-[A-Za-z0-9_\-]{60,}")


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> dict[Path, str]:
    return {path: path.read_text("utf-8", errors="replace") for path in tracked()}


def test_no_registry_is_named():
    assert not [(path, host) for path, text in texts().items() for host in REGISTRIES if host in text]


def test_no_path_of_somebodys_machine_is_named():
    assert not [(path, place) for path, text in texts().items() for place in LOCAL_PATHS if place in text]


def test_nothing_looks_like_a_real_secret():
    assert not [path for path, text in texts().items() if SECRET.search(text)]


def test_locks_hold_hashes_and_no_address():
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text
        requirements = [line for line in text.splitlines() if line and not line.startswith(" ")]
        assert all("==" in line and line.endswith("\\") for line in requirements)


def test_every_direct_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    assert not [name for text in wanted if f"\n{(name := re.split('[><=;]', text)[0])}==" not in f"\n{locked}"]


@pytest.mark.parametrize("folder", ["tests/clients/node", "tests/browser"])
def test_node_packages_are_pinned_and_their_lock_names_no_host(folder: str):
    lock = (ROOT / folder / "package-lock.json").read_text()
    manifest = (ROOT / folder / "package.json").read_text()
    assert '"resolved"' not in lock
    assert not re.search(r'": "[\^~]', manifest)


@pytest.mark.parametrize(
    "script", [*sorted(path.name for path in (ROOT / "scripts").iterdir() if not path.suffix), "run"]
)
def test_scripts_are_executable_and_parse(script: str):
    path = ROOT / (".ci" if script == "run" else "scripts") / script
    if path.is_dir():
        return
    assert path.stat().st_mode & 0o111 == 0o111
    assert path.read_text().splitlines()[1].startswith("# ")
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_the_changelog_speaks_of_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## Unreleased" in changelog or f"## {__version__}" in changelog


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_are_current(page: Path):
    text = page.read_text("utf-8")
    assert tables.current(text) == text, "run scripts/docs"


def test_the_manual_and_the_completions_are_current():
    stale = [file.name for file, text in manual.files().items() if not file.exists() or file.read_text("utf-8") != text]
    assert not stale, "run scripts/docs"


def test_every_table_is_on_a_page():
    pages = "".join(page.read_text("utf-8") for page in tables.PAGES)
    assert not [name for name in tables.TABLES if f"<!-- table: {name} -->" not in pages]


def test_the_readme_can_be_read_in_a_minute():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_a_table_is_written_between_its_markers():
    text = "before\n<!-- table: commands -->\nold\n<!-- /table -->\nafter\n"
    new = tables.current(text)
    assert new.startswith("before\n<!-- table: commands -->\n| Command |")
    assert new.endswith("|\n<!-- /table -->\nafter\n")
    assert "`claude-proxy start`" in new
    assert tables.current(new) == new


def test_a_table_nobody_prints_is_an_error():
    with pytest.raises(KeyError):
        tables.current("<!-- table: nonsense -->\n<!-- /table -->\n")


def test_cells_cannot_break_their_row():
    assert tables.markdown([["a"], ["x|y\nz"]]) == "| a |\n| --- |\n| x\\|y z |\n"


def test_links_within_the_documents_lead_somewhere():
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.component("checkout")
@pytest.mark.component("curl")
def test_the_demo_shows_one_answer_from_each_client_and_cleans_up():
    done = subprocess.run([str(ROOT / "scripts/demo")], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for step in ("claude-proxy start --simulator", "python ask.py", "data: [DONE]", "claude-proxy status", "stop"):
        assert step in done.stdout
    assert "Traceback" not in done.stdout


def test_the_package_answers_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "claude_proxy", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == f"claude-proxy {__version__}"
