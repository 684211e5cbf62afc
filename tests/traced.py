"""Spans of this process, kept in memory, as OpenTelemetry's own SDK makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    import pytest
    from opentelemetry.sdk.trace import ReadableSpan

REMOTE_TRACE, REMOTE_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{REMOTE_TRACE}-{REMOTE_SPAN}-01"


class Spans:
    """All that ended so far."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        # Where `set_tracer_provider` keeps it, which it does once in a process.
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    def named(self, name: str) -> list[ReadableSpan]:
        """Those of a name, in the order in which they ended."""
        return [each for each in self._kept.get_finished_spans() if each.name == name]

    def one(self, name: str) -> ReadableSpan:
        """The only one of a name."""
        (found,) = self.named(name)
        return found

    def names(self) -> set[str]:
        """What there is."""
        return {each.name for each in self._kept.get_finished_spans()}


def parent_of(span: ReadableSpan) -> str | None:
    """The id of the span around it."""
    return f"{span.parent.span_id:016x}" if span.parent else None


def id_of(span: ReadableSpan) -> str:
    """Its own id."""
    return f"{span.context.span_id:016x}"


def trace_of(span: ReadableSpan) -> str:
    """The id of its trace."""
    return f"{span.context.trace_id:032x}"
