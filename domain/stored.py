"""Every event that can stand in a log, and how it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, Mapper

from domain.access.project import Project
from domain.access.refused import Refused
from domain.access.user import User
from domain.downloads import Downloads
from domain.limits import Limits
from domain.log import Log
from domain.owner import Owner
from domain.task import Task

if TYPE_CHECKING:
    from uuid import UUID

    from domain.fact import Fact

EVENTS: tuple[type[Fact], ...] = (
    Log.Begun,
    Limits.Set,
    Project.Added,
    Project.AppAdded,
    Project.AppRemoved,
    Project.Joined,
    Project.Left,
    Project.Removed,
    User.Added,
    User.Granted,
    User.Withdrawn,
    User.PasswordSet,
    User.KeyAdded,
    User.KeyRevoked,
    User.OperatorSet,
    User.Removed,
    Refused.Counted,
    Owner.Admitted,
    Owner.Released,
    Owner.Closed,
    Task.Created,
    Task.Progressed,
    Task.Completed,
    Task.Failed,
    Task.Evicted,
    Downloads.Granted,
)


def event_mapper() -> Mapper[UUID]:
    """How events are stored: as JSON, neither compressed nor encrypted, whatever the environment.

    A log is read by auditors, and its stored bytes are what a proof is of.
    """
    transcoder = JSONTranscoder()
    transcoder.register(DatetimeAsISO())
    return Mapper(transcoder)
