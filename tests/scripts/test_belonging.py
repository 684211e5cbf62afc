"""The log and the place of its result files: marked at the first start, looked for ever after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from api import belonging
from api.belonging import INTENDED, Elsewhere, NotOurs
from api.parts import Parts
from api.settings import Settings
from api.upkeep.schema import create_schema
from exporter.results.store import MARKER

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path, events_url: str):
    """The settings of a node; all share one event store, by default one result folder too."""

    def node(name: str, results: str = "shared") -> Settings:
        (tmp_path / name).mkdir(exist_ok=True)
        given = {
            "EXPORT_TASKS_EVENTS": events_url,
            "EXPORT_TASKS_RESULTS": f"file://{tmp_path / results}",
            "EXPORT_TASKS_SECRET_KEY": "k" * 43,
        }
        return Settings.read(given, home=tmp_path / name)

    return node


def start(settings: Settings) -> str | None:
    """What a start does to the results; the log's mark."""
    with Parts(settings) as parts:
        parts.claim_results()
        return parts.ledger.log().results


def mark_of(settings: Settings) -> str | None:
    with Parts(settings) as parts:
        return parts.results.marker()


def test_the_first_start_marks_the_place_and_the_log_bears_the_mark(node):
    log_id = start(node("n1"))
    assert log_id
    assert mark_of(node("n1")) == log_id
    assert start(node("n1")) == start(node("n2")) == log_id
    assert not (node("n1").home / INTENDED).exists()


def test_a_node_with_another_place_is_refused_before_anything_is_in_either(node, tmp_path):
    start(node("n1"))
    with pytest.raises(Elsewhere, match=r"other\) is not where this log's result files are"):
        start(node("n2", "other"))
    assert not (tmp_path / "other" / MARKER).exists()
    assert start(node("n1"))


def test_a_place_of_another_log_is_refused(node, tmp_path, monkeypatch):
    monkeypatch.setattr(belonging, "BEGINNING_SECONDS", 0.2)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / MARKER).write_text("another")
    for _ in range(2):
        with pytest.raises(NotOurs, match="filled by another event log"):
            start(node("n1"))


def test_nodes_that_start_at_once_agree(node):
    nodes = [node(f"n{number}") for number in range(6)]
    create_schema(nodes[0].events)
    with ThreadPoolExecutor(len(nodes)) as threads:
        assert len(set(threads.map(start, nodes))) == 1


def test_of_nodes_with_different_places_that_start_at_once_one_is_served(node):
    def tried(settings: Settings) -> Any:
        try:
            return start(settings)
        except NotOurs as error:
            return error

    nodes = [node(f"n{number}", f"place{number}") for number in range(4)]
    create_schema(nodes[0].events)
    with ThreadPoolExecutor(len(nodes)) as threads:
        found = list(threads.map(tried, nodes))
    (log_id,) = [each for each in found if isinstance(each, str)]
    assert [start(settings) for settings, each in zip(nodes, found, strict=True) if each == log_id]


def test_a_first_start_that_was_cut_off_between_mark_and_log_knows_its_mark_again(node, tmp_path):
    settings = node("n1")
    (settings.home / INTENDED).write_text("intended")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / MARKER).write_text("intended")
    assert start(settings) == "intended"


def test_a_place_without_a_mark_is_marked_at_an_operators_word(node, tmp_path, monkeypatch):
    settings = node("n1")
    with Parts(settings) as parts, pytest.raises(NotOurs, match="has not begun"):
        belonging.mark(parts.ledger, parts.results, "there")
    log_id = start(settings)
    moved = node("n1", "moved")
    with pytest.raises(Elsewhere, match="export-tasks results claim"):
        start(moved)
    for _ in range(2):
        with Parts(moved) as parts:
            belonging.mark(parts.ledger, parts.results, "there")
    assert start(moved) == log_id
    (tmp_path / "moved" / MARKER).write_text("another")
    with Parts(moved) as parts, pytest.raises(NotOurs, match="filled by another"):
        belonging.mark(parts.ledger, parts.results, "there")


def test_the_command_marks_and_says_where(command, begun, home, monkeypatch, tmp_path):
    assert "has not begun" in command.refused("results", "claim")
    with Parts() as parts:
        parts.claim_results()
    monkeypatch.setenv("EXPORT_TASKS_RESULTS", f"file://{tmp_path / 'moved'}")
    told = command.json("results", "claim")
    assert told == {"results": f"file://{tmp_path / 'moved'}", "marked": True}
    with Parts() as parts:
        parts.claim_results()
