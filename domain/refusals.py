"""Everything the domain can say no to.

Refusal
├── Invalid                 a command's field breaks its rule
├── UnfinishedLimitReached  the owner has as many unfinished tasks as are allowed
├── NoSuchTask              never was, is gone, or is another owner's
├── NoFile                  the task has no result to give
├── DownloadTooSoon         the owner's last download is less than the interval ago
├── TooSlow                 the grant took so long to record that its time means nothing
├── OwnerClosed             the user was removed
├── NotFailed               only a task that failed can be retried
├── TaskOver                nothing more can happen to the task in this way
│   └── ClaimLost           another exporter holds the task now
├── AccessRefusal           a change to projects, apps, users or keys that cannot be made
│   ├── AlreadyThere        it exists
│   ├── NotThere            it does not exist
│   └── StillInUse          users belong to the project
└── Unavailable             the store did not answer in time; nothing is known to have happened
    └── Contended           others kept changing the same thing
"""

from __future__ import annotations


class Refusal(Exception):
    """A command that is not carried out. The text is meant for the one who asked."""


class Invalid(Refusal):
    """A field that breaks its `rule`; `field` names it as the client wrote it."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"Invalid input. '{field}' {rule}.")
        self.field, self.rule = field, rule


class UnfinishedLimitReached(Refusal):
    """Contract, section 2.2."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"There are {limit} unfinished export tasks already; wait for one to end.")
        self.limit = limit


class NoSuchTask(Refusal):
    """Contract, section 2.1: another owner's task is as if it did not exist."""

    def __init__(self) -> None:
        super().__init__("The export task does not exist.")


class NoFile(Refusal):
    """Only a task that ended in Success has a file."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The export task has no file: its status is {status}.")


class DownloadTooSoon(Refusal):
    """Contract, section 2.5; `retry_after` in whole seconds, at least one."""

    def __init__(self, interval: float, retry_after: int) -> None:
        super().__init__(
            f"Only one download in {interval:g} seconds; try again in {retry_after} s."
        )
        self.retry_after = retry_after


class TooSlow(Refusal):
    """Contract, section 2.5: the grant was recorded more than a second after its time."""

    def __init__(self) -> None:
        super().__init__("The download could not be granted in time.")


class OwnerClosed(Refusal):
    """The user was removed; nothing can be created any more."""

    def __init__(self) -> None:
        super().__init__("The user has been removed.")


class NotFailed(Refusal):
    """A retry of a task that did not fail, or is gone; `status` says what it is instead."""

    def __init__(self, status: str) -> None:
        super().__init__(f"Only a failed export task can be retried: this one is {status}.")


class TaskOver(Refusal):
    """The task has ended or is gone."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The export task is over: {status}.")


class ClaimLost(TaskOver):
    """The attempt that asks is not the one that holds the task."""

    def __init__(self) -> None:
        super().__init__("it is in other hands")


class AccessRefusal(Refusal):
    """A change to projects, apps, users or keys that cannot be made."""


class AlreadyThere(AccessRefusal):
    """What should be added exists; `what` names it, as a sentence begins."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} exists already.")


class NotThere(AccessRefusal):
    """What should be changed or found does not exist; `what` names it, as a sentence begins."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} does not exist.")


class StillInUse(AccessRefusal):
    """A project is removed after its users, never with them."""

    def __init__(self, project_id: str, users: int) -> None:
        belong = "1 user belongs" if users == 1 else f"{users} users belong"
        super().__init__(f"{belong} to the project '{project_id}'; remove them first.")


class Unavailable(Refusal):
    """The event store could not be reached or did not answer in time."""

    def __init__(self) -> None:
        super().__init__("The storage is unavailable; try again.")


class Contended(Unavailable):
    """Every try met another's change; try again."""
