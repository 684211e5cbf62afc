"""Findings: what is wrong with an installation, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass, field

UNREACHABLE = "store_unreachable"
"""The code of the one finding after which nothing can be told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: a word for programs, a sentence, and how it is mended."""

    code: str
    what: str
    mend: str


@dataclass(slots=True)
class Report:
    """All that was found; `notes` are no faults: what mends itself, or is worth knowing."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def find(self, code: str, what: str, mend: str) -> None:
        """One finding more."""
        self.findings.append(Finding(code, what, mend))

    @property
    def can_tell(self) -> bool:
        """Could the event store be read at all?"""
        return all(each.code != UNREACHABLE for each in self.findings)
