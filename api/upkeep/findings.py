"""Findings: what is wrong with an installation, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Code = Literal[
    "nothing_here",
    "unfinished_restore",
    "broken_setting",
    "store_unreachable",
    "damaged_event_store",
    "restored_log",
    "log_altered",
    "checkpoint_overdue",
    "audit_place_failing",
    "audit_sink_failing",
    "quarantined_stream",
    "foreign_read_tables",
    "altered_read_tables",
    "damaged_read_tables",
    "missing_result",
    "orphan_file",
    "results_claimed",
    "results_unreachable",
    "source_unreachable",
    "no_secret_key",
    "wrong_secret_key",
    "readable_by_others",
    "damaged_side_log",
    "disk_full",
]
"""Every finding there can be; docs/backup.md says what each means."""

UNREACHABLE: Final = "store_unreachable"
"""The code of the one finding after which nothing can be told."""


_OF_THE_LOG: Final = {"restored_log", "log_altered", "foreign_read_tables"}
"""Codes of findings after which another log than this one may be the right one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: a word for programs, a sentence, and how it is mended."""

    code: Code
    what: str
    mend: str


@dataclass(slots=True)
class Report:
    """All that was found; `notes` are no faults: what mends itself, or is worth knowing."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def find(self, code: Code, what: str, mend: str) -> None:
        """One finding more."""
        self.findings.append(Finding(code, what, mend))

    @property
    def can_tell(self) -> bool:
        """Could the event store be read at all?"""
        return all(each.code != UNREACHABLE for each in self.findings)

    @property
    def doubts_log(self) -> bool:
        """Is it doubtful, by what was found so far, whether this log is the right one?"""
        return any(each.code in _OF_THE_LOG for each in self.findings)
