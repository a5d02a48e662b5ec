"""The tests mirror the package: each module that has code has a test file of its own."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "claude_proxy"

# Modules that only other files' tests cover. This set only shrinks.
WITHOUT_OWN_TEST: set[str] = set()


def has_code(module: Path) -> bool:
    """Whether `module` has a function that does something; protocols and plain data have nothing to test."""
    tree = ast.parse(module.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(not _is_declaration(statement) for function in functions for statement in function.body)


def _is_declaration(statement: ast.stmt) -> bool:
    """Whether it is a docstring or `...`."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def untested() -> set[str]:
    modules = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__")]
    missing = {path for path in modules if not (ROOT / "tests" / path.parent / f"test_{path.name}").exists()}
    return {path.as_posix() for path in missing if has_code(PACKAGE / path)}


def test_every_module_has_a_test_file_of_its_own():
    missing = sorted(untested() - WITHOUT_OWN_TEST)
    assert not missing, f"no tests/<room>/test_<module>.py for {', '.join(missing)}"


def test_the_exceptions_only_shrink():
    done = sorted(WITHOUT_OWN_TEST - untested())
    assert not done, f"take out of WITHOUT_OWN_TEST: {', '.join(done)}"
