"""One of several exporters that each take one task."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.benchmarks import homes
from scripts.benchmarks.together import tell, wait_for_the_word


def main(home: str) -> None:
    """Tells whether there was a task to take."""
    with homes.parts_of(Path(home)) as parts:
        exporter = parts.exporter()
        wait_for_the_word()
        tell(exporter.step())


if __name__ == "__main__":
    main(*sys.argv[1:])
