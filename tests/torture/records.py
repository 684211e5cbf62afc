"""Records: what each client asked and was told, and when; judged when it is over."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from tests.torture.people import Owner
    from tests.torture.wire import Answer


@dataclass(slots=True, eq=False)
class Exchange:
    """A request and its answer; `status` is None where none came.

    `sent` and `received` are on this process's monotonic clock, `earliest` is the earliest that
    the service's clock can have shown meanwhile, `stepped` whether that clock was stepped.
    `shown` are ids and statuses of tasks, `file` is whose bytes a download says it gives, `port`
    is the node's that was asked, `batch` what a create asked for.
    """

    kind: str
    owner: Owner
    sent: float
    task_id: str = ""
    query: dict[str, Any] = field(default_factory=dict)
    received: float = 0.0
    earliest: datetime | None = None
    stepped: bool = False
    status: int | None = None
    code: str = ""
    request_id: str = ""
    shown: tuple[tuple[str, str], ...] = ()
    file: str = ""
    etag: str = ""
    sha256: str = ""
    size: int = 0
    port: int = 0
    batch: str = ""


@dataclass(slots=True)
class Records:
    """Every exchange of a run; appending is safe for threads.

    `wrongs` are those that can be told at once.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    request_ids: set[str] = field(default_factory=set)

    def note(self, exchange: Exchange, answer: Answer | None) -> None:
        """Keeps an exchange, and looks at what every answer must have."""
        self.exchanges.append(exchange)
        if answer is not None:
            for wrong in self._faults(exchange, answer):
                self.wrong(exchange, wrong)

    def wrong(self, exchange: Exchange, what: str) -> None:
        """Notes a broken rule."""
        told = f"{exchange.kind} {exchange.status} {exchange.code} {exchange.request_id}".split()
        self.wrongs.append(f"{' '.join(told)}: {what}")

    def counts(self) -> dict[str, dict[str, int]]:
        """Of each kind of request, how often which answer came."""
        found: dict[str, Counter[str]] = {}
        for each in self.exchanges:
            status = "lost" if each.status is None else str(each.status)
            told = f"{status} {each.code}".strip()
            found.setdefault(each.kind, Counter())[told] += 1
        return {kind: dict(sorted(found[kind].items())) for kind in sorted(found)}

    def _faults(self, exchange: Exchange, answer: Answer) -> list[str]:
        found = []
        if not exchange.request_id:
            found.append("an answer without X-Request-Id")
        elif exchange.request_id in self.request_ids:
            found.append("an X-Request-Id for the second time")
        self.request_ids.add(exchange.request_id)
        if answer.status >= 500 and answer.status != 503:
            found.append(f"status {answer.status}: {answer.body[:200]!r}")
        if answer.status == 503 and not answer.headers.get("retry-after", "").isdigit():
            found.append("a 503 without Retry-After")
        if answer.status >= 400 and not _is_error(answer) and exchange.kind != "head":
            found.append(f"an error that is not told as one: {answer.body[:200]!r}")
        return found


def _is_error(answer: Answer) -> bool:
    document = answer.document
    return (
        answer.headers.get("content-type") == "application/json"
        and isinstance(document, dict)
        and set(document) == {"error_code", "error_msg"}
        and all(document.values())
    )
