"""What a command's exit code means (contract, section 7)."""

from __future__ import annotations

REFUSED = 1
FINDING = 3
CANNOT_TELL = 4
INTERRUPTED = 130
"""Of a shell's, for Ctrl-C."""

EXITS = {
    0: "It is done. Of `export watch`: the export succeeded.",
    REFUSED: "It is refused, or it failed: one line on stderr says why, and what to do next.",
    2: "Wrong usage.",
    FINDING: "A finding: `audit verify`, `doctor`, `rebuild --compare`, `user policy check` found "
    "something.",
    CANNOT_TELL: "It cannot be told: the event store cannot be read, nothing was signed yet, or "
    "the service does not answer.",
    INTERRUPTED: "Interrupted by Ctrl-C.",
}
