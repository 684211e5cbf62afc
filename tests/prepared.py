"""An installation in which everything is there that the examples of `--help` name."""

from __future__ import annotations

import json
import shlex
import shutil
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from scripts.cli import cli
from tests.installation import Installation
from tests.policies import policy, said
from tests.service import Home

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

PASSWORD = "correct horse battery"
BATCH, RUNNING = "5f433ce0c24389024365fdfa", "6a1f0c"
MORE = json.dumps({"target": "d1", "status": "Success", "output": "ok"})
FILES = {
    "upgrade.jsonl": json.dumps({"task_name": "u", "task_type": "t"}) + "\n" + MORE,
    "more.jsonl": MORE,
    "rows.csv": "target,status,output,error_code,error_msg\nd1,Success,ok,,\n",
    "read-only.json": policy(said("Allow", "iotda:exporttasks:*")),
    "password.txt": PASSWORD + "\n",
}
TASK, KEY, VERIFIER = (
    "019a3c5e7f00a1b2c3d4e5f6",
    "HPUAT4QG7L9K2M8XW5ZC",
    "export-tasks.1a2b3c4d+…",
)
BACKUP, ERASURES, DEMO = (
    "/mnt/backups/monday",
    "/srv/export-tasks/erasures.jsonl",
    "/tmp/try-it",
)


class Prepared:
    """Homes to copy: `begun` has had its `init`, `full` has all; and what stands for what."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.home = Home(folder, "--project", "plant-1")
        shutil.copytree(folder / "home", folder / "begun")
        self._fill()
        shutil.copytree(folder / "home", folder / "full")

    def _fill(self) -> None:
        run = self.home.run
        rights = self._folder / "read-only.json"
        rights.write_text(FILES["read-only.json"])
        run("project", "add", "plant-2")
        run("app", "add", "line-a", "--project", "plant-1")
        self.ada = json.loads(
            run("user", "add", "ada", "--project", "plant-1", "--policy", str(rights), "--json")
        )
        for name in ("ada", "admin"):
            run("user", "grant", name, "--project", "plant-2", "--admin")
        for task_id, status in ((BATCH, "Success"), (RUNNING, "Processing")):
            line = {"task_id": task_id, "task_name": "u", "task_type": "t", "status": status}
            run("batch", "import", "-", "--project", "plant-1", given=f"{json.dumps(line)}\n{MORE}")
        made = Installation(self.home)
        self.task, self.failed = made.create(BATCH), made.create("dead")
        made.export()
        run("rebuild")
        run("audit", "checkpoint", "--now")
        run("backup", str(self._folder / "backup"), "--with-secret-key")

    @property
    def verifier(self) -> str:
        """The key that proves its checkpoints."""
        (key,) = (self._folder / "home" / "audit" / "keys").iterdir()
        return key.read_text().strip()

    def place(self, kind: str, folder: Path) -> Place:
        """A copy of a home ('empty': of none), and a folder to work in."""
        if kind != "empty":
            shutil.copytree(self._folder / kind, folder / "home")
        work = folder / "work"
        work.mkdir(parents=True)
        for name, content in FILES.items():
            (work / name).write_text(content)
        (work / "erasures.jsonl").touch()
        words = {
            TASK: self.task,
            KEY: self.ada["access_key"],
            VERIFIER: self.verifier,
            BACKUP: str(self._folder / "backup"),
            ERASURES: str(work / "erasures.jsonl"),
            DEMO: str(folder / "demo"),
        }
        return Place(folder, work, words)


class Place:
    """Where a line of an example is run as a shell would run it, in this process."""

    def __init__(self, folder: Path, work: Path, words: dict[str, str]) -> None:
        self.work, self.words = work, words
        self.environment: dict[str, Any] = {"EXPORT_TASKS_HOME": str(folder / "home")}

    def arguments(self, line: str) -> list[str]:
        """The words of a line, behind the program's name; what they stand for put in."""
        for word, meaning in self.words.items():
            line = line.replace(word, meaning)
        return shlex.split(line)[1:]

    def run(self, line: str, given: str = "") -> Result:
        """Runs it; `> file` and `< file` are done."""
        arguments = self.arguments(line)
        to = _taken_out(arguments, ">")
        if source := _taken_out(arguments, "<"):
            given = (self.work / source).read_text()
        done = CliRunner(env=self.environment).invoke(cli, arguments, input=given)
        if to:
            (self.work / to).write_bytes(done.stdout_bytes)
        return done


def _taken_out(arguments: list[str], sign: str) -> str | None:
    if sign not in arguments:
        return None
    at = arguments.index(sign)
    arguments.pop(at)
    return arguments.pop(at)
