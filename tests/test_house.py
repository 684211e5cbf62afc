"""The house keeps its plan: who imports whom, what stands where, what is declared and pinned."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
ROOMS = ("domain", "projections", "exporter", "api", "scripts")
"""Each may import those before it."""

MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
LONGEST = 300
LONGER = {
    "api/access/people.py",
    "api/parts.py",
    "api/requests.py",
    "domain/ledger.py",
    "domain/task.py",
}
"""Modules of more lines than that; no other may join them."""

LOCKS = ("requirements.lock", "requirements-dev.lock")
MUTATION_LOCK = "requirements-mutation.lock"
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; [^\\]+)? \\$", re.MULTILINE)


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Line and module of every import, wherever it stands; a relative one keeps its dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def imported() -> Iterator[tuple[str, str, str]]:
    """Room, place and top-level name of every import in the five packages."""
    for path in MODULES:
        place = path.relative_to(ROOT)
        for line, module in imports(path.read_text("utf-8")):
            yield place.parts[0], f"{place}:{line}", module.split(".")[0]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[^A-Za-z0-9._-]", each)[0]) for each in requirements}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text("utf-8")))


def test_imports_are_found_at_the_top_inside_functions_and_under_type_checking():
    source = "import a.b\nif TYPE_CHECKING:\n from c import d\ndef f():\n from . import e"
    assert list(imports(source)) == [(1, "a.b"), (3, "c"), (5, ".")]


def test_imports_run_one_way():
    wrong = [
        f"{place} imports {name}"
        for room, place, name in imported()
        if name in ROOMS and ROOMS.index(name) > ROOMS.index(room)
    ]
    assert wrong == []


def test_imports_name_their_package_in_full():
    assert [place for _, place, name in imported() if name == ""] == []


def test_nobody_imports_the_tests():
    assert [place for _, place, name in imported() if name == "tests"] == []


def test_the_domain_imports_only_itself_the_event_library_and_the_standard_library():
    allowed = {"domain", "eventsourcing"} | sys.stdlib_module_names
    wrong = [
        f"{place} imports {name}"
        for room, place, name in imported()
        if room == "domain" and name not in allowed
    ]
    assert wrong == []


def test_every_imported_library_is_declared():
    declared = names(project()["project"]["dependencies"])
    homes = packages_distributions()
    foreign = {
        (place, name)
        for _, place, name in imported()
        if name not in sys.stdlib_module_names and name not in ROOMS
    }
    wrong = [
        f"{place} imports {name}"
        for place, name in sorted(foreign)
        if declared.isdisjoint(map(normal, homes.get(name, [])))
    ]
    assert wrong == []


def test_the_five_rooms_are_the_only_packages_and_every_folder_in_them_is_one():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(ROOMS)
    assert [path for path in MODULES if not (path.parent / "__init__.py").exists()] == []


def test_every_module_says_in_a_docstring_what_it_is_for():
    assert [p for p in MODULES if not ast.get_docstring(ast.parse(p.read_text("utf-8")))] == []


def test_no_module_is_longer_than_a_reader_s_patience():
    longer = {path for path in MODULES if len(path.read_text("utf-8").splitlines()) > LONGEST}
    assert {str(path.relative_to(ROOT)) for path in longer} <= LONGER


def test_the_tests_mirror_the_rooms_and_are_no_packages():
    tests = ROOT / "tests"
    rooms = {*ROOMS, "simulation", "planted", "torture", "mutation"}
    assert {path.parent.name for path in tests.glob("*/test_*.py")} <= rooms
    assert list(tests.rglob("__init__.py")) == []


@pytest.mark.parametrize("lock", [*LOCKS, MUTATION_LOCK])
def test_a_lock_pins_everything_with_hashes_and_holds_no_address(lock):
    text = (ROOT / lock).read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    pinned = [line for line in lines if not line.startswith(" ")]
    assert len(pinned) == len(pins(lock)) > 0
    hashed = [next_line for line, next_line in pairwise(lines) if line in pinned]
    assert len(hashed) == len(pinned)
    assert all(line.startswith("    --hash=sha256:") for line in hashed)
    assert re.search(r"://|--index|--find-links|file:", text) is None


def test_the_development_lock_holds_the_runtime_lock():
    runtime, development = map(pins, LOCKS)
    assert runtime.items() <= development.items()


def test_the_mutation_lock_changes_nothing_that_development_has():
    development, mutation = pins(LOCKS[1]), pins(MUTATION_LOCK)
    assert names(project()["dependency-groups"]["mutation"]) <= mutation.keys()
    shared = development.keys() & mutation.keys()
    assert {each: mutation[each] for each in shared} == {each: development[each] for each in shared}


def test_the_locks_hold_what_the_project_declares_and_nothing_of_development_at_run_time():
    declared, locked = names(project()["project"]["dependencies"]), pins(LOCKS[0]).keys()
    tools = names(project()["dependency-groups"]["dev"])
    assert declared <= locked
    assert tools <= pins(LOCKS[1]).keys()
    assert tools & {"hatchling", "mypy", "pytest", "ruff"} == {
        "hatchling",
        "mypy",
        "pytest",
        "ruff",
    }
    assert locked & {"hatchling", "mypy", "pytest", "ruff", "hypothesis"} == set()
