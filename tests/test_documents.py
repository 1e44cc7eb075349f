"""Is what the documents say true of the tree: examples, links, files, commands, targets, settings and tests?"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from homeward.cli import app
from homeward.settings import PREFIX, Settings

pytestmark = pytest.mark.pure
ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "alerts/rules/SOURCES.md",
]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
# A path inside the tree, as it is written between backticks: a known folder, and a name with an ending.
_PATH = re.compile(
    r"(?:alerts|benchmarks|dashboard|device_sim|docs|homeward|ingest|schemas|scripts|tests)/[\w./-]*\w\.\w+\Z"
)
_TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
_COMMAND = re.compile(r"(?:^|\s|bin/)homeward ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)")
_TARGET = re.compile(r"\bmake ([a-z][a-z-]+)")
_ANCHOR = re.compile(r"[^\w\- ]")


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> Path:
    """Each document in turn."""
    path: Path = request.param
    return path


def code_of(text: str) -> list[str]:
    """Give what is written as code: between backticks, and the lines of blocks."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    outside = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.M | re.S)
    indented = [line.strip() for line in outside.splitlines() if line.startswith("    ")]
    return [*_CODE.findall(outside), *(line for block in fenced for line in block.splitlines()), *indented]


def anchors_of(path: Path) -> set[str]:
    """Give the anchors of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {_ANCHOR.sub("", heading.lower()).replace(" ", "-") for heading in headings}


def _parts(command: Any) -> dict[str, Any]:
    """Give a group's commands; a command of its own has none."""
    return dict(getattr(command, "commands", {}))


@cache
def commands() -> set[str]:
    """Give every command line that there is, without its options."""
    root = typer.main.get_command(app)
    found = set()
    for name, command in _parts(root).items():
        found |= {name, *(f"{name} {part}" for part in _parts(command))}
    return found


def test_the_example_prints_what_the_readme_says(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(r"^```python\n(.*?)^```.*?^```text\n(.*?)^```", text, re.M | re.S)
    assert match is not None, "README.md: no example in Python with its output after it"
    program = tmp_path / "ward.py"
    program.write_text(match[1], encoding="utf-8")
    done = subprocess.run([sys.executable, program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", match[2])


def test_links_lead_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text(encoding="utf-8")):
        place, _, anchor = target.partition("#")
        if "://" in place:
            continue
        found = (document.parent / place).resolve() if place else document
        assert found.exists(), f"{document.name}: {target} is not there"
        assert found.is_relative_to(ROOT), f"{document.name}: {target} lies outside the tree"
        assert not anchor or anchor in anchors_of(found), f"{document.name}: {target} has no such heading"


def test_files_named_are_there(document: Path) -> None:
    for code in _CODE.findall(document.read_text(encoding="utf-8")):
        path = code.partition("::")[0]
        if _PATH.match(path) and "NAME" not in path:
            assert (ROOT / path).exists(), f"{document.name}: {path} is not there"


def test_commands_named_exist(document: Path) -> None:
    for code in code_of(document.read_text(encoding="utf-8")):
        for words in _COMMAND.findall(code):
            first, _, second = words.partition(" ")
            assert first in commands(), f"{document.name}: there is no command `homeward {first}`"
            if second and any(known.startswith(f"{first} ") for known in commands()):
                assert words in commands(), f"{document.name}: there is no command `homeward {words}`"


def test_targets_named_exist(document: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for code in code_of(document.read_text(encoding="utf-8")):
        for target in _TARGET.findall(code):
            assert target in known, f"{document.name}: there is no target `make {target}`"


def test_the_readme_names_every_setting_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(rf"^\| `({PREFIX}\w+)`", text, re.M))
    assert named == {PREFIX + name.upper() for name in Settings.model_fields}


def test_tests_named_in_the_architecture_exist() -> None:
    named = _TEST.findall((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    assert named
    for file, function in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        known = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert function in known, f"docs/architecture.md: {file} has no {function}"


def test_each_invariant_names_a_test() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    section = text.partition("## The ten invariants")[2].partition("\n## ")[0]
    parts = re.split(r"^(\d+)\. ", section, flags=re.M)[1:]
    by_number = dict(zip(map(int, parts[::2]), parts[1::2], strict=True))
    assert list(by_number) == list(range(1, 11))
    for number, part in by_number.items():
        assert _TEST.search(part), f"docs/architecture.md: invariant {number} names no test"
