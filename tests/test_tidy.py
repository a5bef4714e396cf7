"""The house rules that no linter knows.

Short files, short functions, modules that open with their rule, no binary floats where money is computed, and no
trace of the machine the code was written on.
"""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "trueup"
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
PURE_ROOMS = ("model", "book", "reconcile", "risk", "trading")

# Put together from pieces, so that this file does not hold what it forbids.
REGISTRY_HOSTS = tuple(
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("crates", "io"),
        ("deb", "debian", "org"),
    )
)
MACHINE_PATHS = tuple(f"/{folder}/" for folder in ("root", "home", "work", "Users"))
# A path begins where no other path or address goes before it.
FORBIDDEN_TEXT = re.compile(
    "|".join((*map(re.escape, REGISTRY_HOSTS), *(rf"(?<![\w.~)}}\]*-]){re.escape(path)}" for path in MACHINE_PATHS)))
)

MODULES = sorted(SOURCE.rglob("*.py"))
PURE_MODULES = [path for path in MODULES if path.relative_to(SOURCE).parts[0].removesuffix(".py") in PURE_ROOMS]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def long_functions(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                found.append(f"line {node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}")
    return found


def binary_floats(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="float")):
                found.append(f"line {node.lineno}: float()")
            case ast.Constant(value=float() as value):
                found.append(f"line {node.lineno}: the binary float {value!r}")
            case _:
                pass
    return found


def forbidden_texts(text: str) -> list[str]:
    return [
        f"line {number}: {match.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        for match in FORBIDDEN_TEXT.finditer(line)
    ]


def tracked_files() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip(f"git cannot list this checkout: {listed.stderr.strip()}")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_short_and_opens_with_its_rule(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = len(text.splitlines())
    assert lines <= FILE_LINES_MAX, f"{name_of(path)} has {lines} lines, at most {FILE_LINES_MAX}"
    assert ast.get_docstring(tree), f"{name_of(path)} does not open with a docstring"
    assert long_functions(tree) == [], name_of(path)


@pytest.mark.parametrize("path", PURE_MODULES, ids=name_of)
def test_pure_module_holds_no_binary_float(path: Path) -> None:
    assert binary_floats(ast.parse(path.read_text(encoding="utf-8"))) == [], name_of(path)


def test_tracked_text_names_no_registry_and_no_machine() -> None:
    found = {}
    for path in tracked_files():
        if not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" in content:
            continue
        if texts := forbidden_texts(content.decode("utf-8", errors="replace")):
            found[name_of(path)] = texts
    assert found == {}


def test_requirements_name_no_address_and_no_option() -> None:
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert files
    line = re.compile(r"(#.*|[a-z0-9-]+==[0-9a-z.]+( ; [^/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|)")
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, name_of(path)
        assert [odd for odd in text.splitlines() if not line.fullmatch(odd)] == [], name_of(path)


def test_a_long_function_is_found() -> None:
    line = "    pass\n"
    assert long_functions(ast.parse("def short():\n" + line * (FUNCTION_LINES_MAX - 1))) == []
    assert long_functions(ast.parse("class Book:\n def long(self):\n" + line * FUNCTION_LINES_MAX)) == [
        f"line 2: long has {FUNCTION_LINES_MAX + 1} lines, at most {FUNCTION_LINES_MAX}"
    ]


def test_a_binary_float_is_found() -> None:
    assert binary_floats(ast.parse("a = float('1')\nb = 0.5\nc = 1\nd: float\nisinstance(a, float)")) == [
        "line 1: float()",
        "line 2: the binary float 0.5",
    ]


@pytest.mark.parametrize("text", [*REGISTRY_HOSTS, *(f"see {path}file" for path in MACHINE_PATHS)])
def test_a_forbidden_text_is_found(text: str) -> None:
    assert forbidden_texts(f"fine\n{text}") != []


@pytest.mark.parametrize("text", ["docs/work/plan.md", "https://api.hyperliquid.xyz/info", "~/root/x", "$HOME/work/x"])
def test_an_innocent_text_is_left_alone(text: str) -> None:
    assert forbidden_texts(text) == []
