"""A rebuild is killed at random moments, as `kill -9` does; the next one must put all right.

python -m tests.killed_rebuild --kills 200 --seed 1
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

from projections.log import open_log
from projections.rebuild import Rebuilt, rebuild
from projections.schema import TABLES
from projections.tables import ReadTables
from scripts.benchmarks import history

EVENTS = 12_000
WRITTEN_EVERY = 1_500

CHILD = f"""
import sys
from pathlib import Path
from projections import fold
from projections.log import open_log
from projections.rebuild import rebuild
from projections.tables import ReadTables
fold.PAGE, fold.WRITTEN_EVERY = 500, {WRITTEN_EVERY}
log, tables = open_log(sys.argv[1]), ReadTables(Path(sys.argv[2]))
print("begun", flush=True)
rebuild(log.recorder, tables)
"""


class Wrong(AssertionError):
    """What a killed rebuild left was not put right."""


class Household:
    """A log, read tables of it, and what must stand in them."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self.url = f"sqlite:///{folder}/events.sqlite"
        self.log = open_log(self.url)
        self.events = history.fill(self.log.recorder, EVENTS)
        self.tables = ReadTables(folder / "read")
        self.chance = chance
        rebuild(self.log.recorder, self.tables)
        self.rows = self.read()
        began = perf_counter()
        self.start().communicate()
        self.seconds = perf_counter() - began
        self.resumed = self.litter = 0

    def read(self) -> dict[str, set[tuple[object, ...]]]:
        """Everything that the current tables hold."""
        with self.tables.open() as live:
            return {name: {tuple(row) for row in live[name].db.conn.execute(
                f"SELECT * FROM {name}")} for name in TABLES}  # fmt: skip

    def start(self) -> subprocess.Popen[bytes]:
        """A rebuild in a process of its own, as it begins."""
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, self.url, self.tables.folder], stdout=subprocess.PIPE
        )
        assert process.stdout
        if process.stdout.readline() != b"begun\n":
            raise Wrong("a rebuild did not begin")
        return process

    def kill_one(self) -> None:
        """Kills a rebuild somewhere, looks at the tables, and builds them to the end."""
        process = self.start()
        sleep(self.chance.random() * self.seconds)
        process.kill()
        process.communicate()
        self.check("after the kill")
        self.check_done(rebuild(self.log.recorder, self.tables))
        self.check("after the next rebuild")

    def check(self, when: str) -> None:
        """The tables hold what they must."""
        if self.read() != self.rows:
            raise Wrong(f"other rows {when}")

    def check_done(self, done: Rebuilt) -> None:
        """A rebuild found nothing that differs, and keeps what it should.

        One that was killed just after its swap may have left the tables before the former ones: a
        later rebuild removes them, once nobody can be making them.
        """
        self.resumed += bool(done.resumed)
        if (done.events, done.different, done.swapped) != (self.events, 0, True):
            raise Wrong(str(done))
        kept = {self.tables.current(), self.tables.former()}
        left = {path.name for path in self.tables.folder.glob("read-*.sqlite")}
        if len(kept & left) != 2:
            raise Wrong(f"{left} was left, {kept} is needed")
        self.litter = max(self.litter, len(left - kept))

    def check_litter(self) -> None:
        """Nothing stays for ever: an hour later all is gone that no pointer names."""
        for path in self.tables.folder.iterdir():
            os.utime(path, (0, 0))
        rebuild(self.log.recorder, self.tables)
        self.tables.close()
        names = {path.name.partition("-v")[0] for path in self.tables.folder.iterdir()}
        if names != {"read", "current", "former", "rebuild.lock"}:
            raise Wrong(f"litter: {names}")

    def close(self) -> None:
        """Gives back what it holds."""
        self.tables.close()
        self.log.close()


def kill(kills: int, seed: int, folder: Path) -> tuple[int, int]:
    """So many kills; says how many were gone on with, and how many files lay about at most."""
    with closing(Household(folder, Random(seed))) as household:
        for _ in range(kills):
            household.kill_one()
        household.check_litter()
        return household.resumed, household.litter


def main() -> None:
    """As a command."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with TemporaryDirectory(prefix="export-tasks-kills-") as folder:
        resumed, litter = kill(given.kills, given.seed, Path(folder))
    sys.stdout.write(
        f"{given.kills} kills, {given.kills} right results, {resumed} gone on with; "
        f"{litter} files waited for an hour to be removed\n"
    )


if __name__ == "__main__":
    main()
