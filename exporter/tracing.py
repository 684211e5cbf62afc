"""Tracing: spans, where OpenTelemetry is installed and somebody has named a provider of them."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDER = "OTEL_PYTHON_TRACER_PROVIDER"
"""The environment variable by which OpenTelemetry is told who takes the spans."""

_TRACE = "opentelemetry.trace"
_HEADER = "traceparent"


def is_on() -> bool:
    """Would anybody take a span? Where nobody would, nothing is imported."""
    return _tracer() is not None


@contextmanager
def span(
    name: str, parent: str | None = None, kind: str = "INTERNAL", **attributes: Any
) -> Iterator[Any]:
    """A span around what is done, under a `traceparent` or whatever is around it; else None.

    Of a fault only that there was one is told: its text may be of what is exported.
    """
    tracer = _tracer()
    if tracer is None:
        yield None
        return
    trace = import_module(_TRACE)
    with tracer.start_as_current_span(
        name,
        context=_propagator().extract({_HEADER: parent}) if parent else None,
        kind=trace.SpanKind[kind],
        attributes={f"export_tasks.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as begun:
        try:
            yield begun
        except BaseException:
            begun.set_status(trace.StatusCode.ERROR)
            raise


def traceparent() -> str | None:
    """By which others go on from the span around this, as W3C writes it; None where none is."""
    if not is_on():
        return None
    carrier: dict[str, str] = {}
    _propagator().inject(carrier)
    return carrier.get(_HEADER)


class Traced:
    """A recorder of events whose appends are spans of whatever they belong to."""

    def __init__(self, recorder: Any) -> None:
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        """All else is the recorder's."""
        return getattr(self._recorder, name)

    def insert_events(self, stored_events: Any, **options: Any) -> Any:
        """Appends; outside of any span there is nobody to whom it matters."""
        if traceparent() is None:
            return self._recorder.insert_events(stored_events, **options)
        with span("append", events=len(stored_events)):
            return self._recorder.insert_events(stored_events, **options)


def _tracer() -> Any:
    """Whose provider was set by code (then OpenTelemetry is imported) or by the environment."""
    if _TRACE not in sys.modules and not _is_asked_for():
        return None
    trace = import_module(_TRACE)
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    return provider.get_tracer("export-tasks")


@cache
def _is_asked_for() -> bool:
    return PROVIDER in os.environ and find_spec("opentelemetry") is not None


@cache
def _propagator() -> Any:
    return import_module(f"{_TRACE}.propagation.tracecontext").TraceContextTextMapPropagator()
