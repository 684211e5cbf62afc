"""An attempt is a span of the trace in which its task was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.tracing import Traced, is_on, span, traceparent
from tests.traced import HEADER, REMOTE_SPAN, REMOTE_TRACE, Spans, id_of, parent_of, trace_of

if TYPE_CHECKING:
    from tests.workshop import Workshop


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    return Spans(monkeypatch)


def test_an_attempt_goes_on_with_the_trace_of_its_task(shop: Workshop, spans: Spans) -> None:
    journal = shop.story.ledger.journal
    journal.recorder = Traced(journal.recorder)
    asked = shop.story.creating(batch=shop.batch())
    caller = replace(asked.caller, traceparent=HEADER)
    task = shop.story.ledger.create(replace(asked, caller=caller))
    untraced = shop.create()
    exporter = shop.exporter()
    while exporter.step():
        pass
    assert shop.now(task).status == shop.now(untraced).status == "Success"
    first, second = spans.named("export attempt")
    (attempt,) = [each for each in (first, second) if trace_of(each) == REMOTE_TRACE]
    assert parent_of(attempt) == REMOTE_SPAN
    assert attempt.attributes
    assert attempt.attributes["export_tasks.task"] == task.task_id
    assert attempt.attributes["export_tasks.task_request_id"] == task.request_id
    appends = [each for each in spans.named("append") if parent_of(each) == id_of(attempt)]
    assert appends


def test_an_append_outside_of_any_span_is_none(shop: Workshop, spans: Spans) -> None:
    journal = shop.story.ledger.journal
    journal.recorder = Traced(journal.recorder)
    shop.create()
    assert spans.names() == set()


def test_a_fault_within_a_span_goes_on_and_is_told_as_one(spans: Spans) -> None:
    with pytest.raises(ValueError, match="planted"), span("work"):
        raise ValueError("planted")
    assert not spans.one("work").status.is_ok
    assert "planted" not in spans.one("work").to_json()


def test_without_a_provider_a_span_is_nothing() -> None:
    assert not is_on()
    with span("work", HEADER) as none:
        assert none is None
        assert traceparent() is None
