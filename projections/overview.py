"""Overview: what operators ask about everybody's exports, answered from indexes and single rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.commands import NEWEST
from projections.queries import LINE, ask
from projections.rows import Failures, Seen, TaskRow, UnderWay, all_of, columns_of
from projections.schema import FAILED, UNFINISHED, WAITING

if TYPE_CHECKING:
    from datetime import datetime

    from projections.follower import Follower
    from projections.rows import R

HOURS = 24
"""How many hours are told: so many have a row."""

DAYS = 14
"""Of how many days failures are told; those of a month have a row."""

SEARCHED_MOST = 2000
"""Tasks that are looked through for a page at most: then the answer says where to go on."""

_HELD = f"SELECT {columns_of(UnderWay)} FROM tasks WHERE {UNFINISHED} AND held = 1 ORDER BY task_id"  # noqa: S608
_OLDEST = (
    f"SELECT {columns_of(UnderWay)} FROM tasks WHERE {UNFINISHED} AND held = 0"  # noqa: S608
    " ORDER BY task_id LIMIT 1"
)
_HOURS = f"SELECT {columns_of(Seen)} FROM hours UNION ALL SELECT {columns_of(Seen)} FROM activity"  # noqa: S608
_FAILURES = (
    f"SELECT {columns_of(Failures)} FROM failures WHERE day > ? AND day <= ?"  # noqa: S608
    " ORDER BY day DESC, tasks DESC, code"
)
_SOME = """
    SELECT * FROM (
        SELECT * FROM tasks {index} WHERE {where} AND task_id < :marker
        ORDER BY task_id DESC LIMIT :most
    )
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose tasks, and which; None: whichever."""

    project_id: str | None = None
    user_id: str | None = None
    status: str | None = None
    error_code: str | None = None

    def filters(self) -> dict[str, str]:
        """The columns that somebody wants something of."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not None}

    def narrowed(self) -> list[tuple[str, str]]:
        """Where to look: so few tasks that one index tells them, in the order of their ids."""
        if self.project_id and self.user_id:
            return [("", "project_id = :project_id AND user_id = :user_id")]
        if self.status == "Processing":
            return [("", f"{UNFINISHED} AND held = {held}") for held in (0, 1)]
        if self.status == "Failed" or self.error_code:
            return [("INDEXED BY failed", FAILED)]
        return [("", "true")]


@dataclass(frozen=True, slots=True)
class Search:
    """Tasks, newest first, and the id below which to go on; None: there are no more.

    `cut` says that it ended for having looked through so many, not for having found enough.
    """

    tasks: list[TaskRow]
    marker: str | None
    cut: bool


class Overview:
    """Every method may raise `domain.refusals.Unavailable`: never stale in silence."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower

    def hours(self, now: datetime) -> list[Seen]:
        """What each of the last hours saw, the present one last. `now` is in UTC."""
        seen = {each.hour: each for each in self._all(Seen, _HOURS)}
        past = [(now - timedelta(hours=ago)).isoformat()[:13] for ago in range(HOURS)]
        return [seen.get(hour, Seen(hour)) for hour in reversed(past)]

    def failures(self, now: datetime) -> list[Failures]:
        """How many tasks failed for what, the newest day and the most of them first."""
        days = [(now - timedelta(days=ago)).isoformat()[:10] for ago in (DAYS, 0)]
        return self._all(Failures, _FAILURES, days)

    def under_way(self) -> list[UnderWay]:
        """What exporters are at, the oldest first."""
        return self._all(UnderWay, _HELD)

    def line(self, limit: int) -> list[UnderWay]:
        """The first of those that wait for an exporter, in the order of turns."""
        query = LINE.format(waiting=WAITING, columns=columns_of(UnderWay, "tasks"))
        return self._all(UnderWay, query, [limit, 0])

    def oldest(self) -> UnderWay | None:
        """Of those that wait, the one that was asked for first."""
        return next(iter(self._all(UnderWay, _OLDEST)), None)

    def search(self, wanted: Wanted, limit: int, marker: str = NEWEST) -> Search:
        """Tasks of any owner with ids smaller than `marker`."""
        filters, most = wanted.filters(), SEARCHED_MOST
        values = {**filters, "marker": marker, "most": most, "limit": limit + 1}
        some = " UNION ALL ".join(
            _SOME.format(index=index, where=where) for index, where in wanted.narrowed()
        )
        looked_at = f"SELECT * FROM ({some}) ORDER BY task_id DESC LIMIT :most"  # noqa: S608
        matches = " AND ".join(f"{name} = :{name}" for name in filters) or "true"
        with self.follower.once():
            tasks = self._all(
                TaskRow,
                f"SELECT {columns_of(TaskRow)} FROM ({looked_at}) WHERE {matches}"  # noqa: S608
                " ORDER BY task_id DESC LIMIT :limit",
                values,
            )
            if len(tasks) > limit:
                return Search(tasks[:limit], tasks[limit - 1].task_id, cut=False)
            end = f"SELECT min(task_id), count(*) FROM ({looked_at})"  # noqa: S608
            with self.follower.caught_up() as database:
                last, count = ask(database, end, values).fetchone()
        cut = count == most
        return Search(tasks, last if cut else None, cut)

    def _all(self, kind: type[R], query: str, values: Any = ()) -> list[R]:
        with self.follower.caught_up() as database:
            return all_of(kind, ask(database, query, values))
