"""States: every task with its file, and every quota, as of a position; and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET, json

from api.messages import stamp, whole_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from projections.replay import Replay
    from projections.rows import QuotaRow, TaskRow

    Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """What there was after the event at a position (0: before every event).

    `tasks` are task objects (contract, section 1) with their owners, newest first.
    """

    position: int
    tasks: list[Document]
    quotas: list[Document]

    @classmethod
    def of(cls, replay: Replay, wanted: Mapping[str, str | None]) -> State:
        """What a replay has come to, of the project and user that are wanted (None: of all)."""
        return cls(
            replay.position.position,
            [_task(replay, row) for row in replay.tasks() if _is_of(row, wanted)],
            [_quota(row) for row in replay.quotas() if _is_of(row, wanted)],
        )

    def things(self) -> dict[tuple[str, str], Document]:
        """Everything by what it is and its id."""
        tasks = {("task", each["export_task_id"]): each for each in self.tasks}
        quotas = {
            ("quota", f"{each['project_id']}/{each['user_id']}"): each for each in self.quotas
        }
        return tasks | quotas


class Change(NamedTuple):
    """Something that was added, removed or changed, and its fields before and after."""

    change: str
    what: str
    id: str
    fields: dict[str, tuple[Any, Any]]

    def document(self) -> Document:
        """All of it, for a program."""
        fields = {name: {"from": old, "to": new} for name, (old, new) in self.fields.items()}
        return {**self._asdict(), "fields": fields}


def changes(before: State, after: State) -> Iterator[Change]:
    """What happened between two states, by kind and id."""
    old, new = before.things(), after.things()
    for key in sorted(old.keys() | new.keys()):
        fields = _differing(_flat(old.get(key, {})), _flat(new.get(key, {})))
        if fields:
            change = "added" if key not in old else "changed" if key in new else "removed"
            yield Change(change, *key, fields)


def _differing(old: Document, new: Document) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (old.get(name), new.get(name)) for name in {**old, **new}}
    return {name: (was, now) for name, (was, now) in pairs.items() if was != now}


def _flat(document: Document) -> Document:
    """What stands in an object within, under names with a dot."""
    flat: Document = {}
    for name, value in document.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": each for inner, each in value.items()}
        else:
            flat[name] = value
    return flat


def _is_of(row: TaskRow | QuotaRow, wanted: Mapping[str, str | None]) -> bool:
    return all(wish is None or getattr(row, name) == wish for name, wish in wanted.items())


def _task(replay: Replay, row: TaskRow) -> Document:
    task = json.decode(json.encode(whole_task(row, UNSET, replay.download(row))))
    return {"project_id": row.project_id, "user_id": row.user_id, **task}


def _quota(row: QuotaRow) -> Document:
    return {
        "project_id": row.project_id,
        "user_id": row.user_id,
        "kept": row.kept,
        "unfinished": row.unfinished,
        "last_download": stamp(row.last_download) if row.last_download else None,
    }
