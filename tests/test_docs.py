"""What the README says is so: its tables match the code, its examples run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import click
import pytest
import xlrd

from api.routes import CALLS
from api.settings import SETTINGS
from scripts.cli import cli
from tests.installation import Installation
from tests.sealed import KEY, seal
from tests.service import Home, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PASSWORD = "correct horse battery"
LINKS = re.compile(r"\]\(([^)#\s]*)(?:#([^)]+))?\)")


def block(language: str, containing: str) -> str:
    """The one block of code in the README that holds a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [each for each in blocks if containing in each]
    return found


def section(title: str) -> str:
    """A section of the README."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_setting_is_in_the_table_and_nothing_else():
    documented = set(re.findall(r"EXPORT_TASKS_[A-Z_]+", section("Settings")))
    assert documented == {f"EXPORT_TASKS_{setting.name.upper()}" for setting in SETTINGS}


def test_every_route_is_in_the_table_and_nothing_else():
    documented = {
        (method, path)
        for line in re.findall(r"`((?:GET|POST|DELETE) .*)` ?[|(]", section("Routes"))
        for method in [line.split()[0]]
        for path in re.findall(r"/[^` ,]*", line.replace("`", ""))
    }
    assert documented == {(call.method, call.path) for call in CALLS}


PAGES = [each for of in ("*", "docs/**/*", "deploy/**/*") for each in sorted(ROOT.glob(f"{of}.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = [link for link in LINKS.findall(page.read_text()) if "://" not in link[0]]
    assert [link for link in links if not leads_somewhere(page, *link)] == []


def leads_somewhere(page: Path, file: str, heading: str) -> bool:
    """Is there the file, or the page itself, and in it the heading?"""
    there = page.parent / file if file else page
    if not heading or not there.exists():
        return there.exists()
    headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
    return heading in [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings]


def test_the_readme_names_only_commands_that_there_are():
    words = re.findall(r"export-tasks ([a-z]+)(?: ([a-z]+)\b)?", README)
    words += re.findall(r"`(event|task|limits|batch) ([a-z]+)", README)
    assert len(words) > 8
    context = click.Context(cli)
    for group, name in words:
        command = cli.get_command(context, group)
        assert command, group
        if isinstance(command, click.Group):
            assert name in command.commands, (group, name)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home as the README begins one."""
    home = Home(tmp_path_factory.mktemp("docs"))
    home.run("user", "password", "admin", "--password-stdin", given=PASSWORD)
    yield home
    home.close()


@pytest.fixture(scope="module")
def environment(home: Home) -> Iterator[dict[str, str]]:
    """What the examples need, while a service runs."""
    batch = home.batch(1000)
    service = home.serve()
    yield {
        **home.environment,
        "EXPORT_TASKS_ENDPOINT": service.endpoint,
        "EXPORT_TASKS_AK": home.begun["access_key"],
        "EXPORT_TASKS_SK": home.begun["secret_key"],
        "EXPORT_TASKS_PROJECT": home.project,
        "BATCH_TASK": batch,
        "NAME": "admin",
        "PASSWORD": PASSWORD,
    }
    assert service.stop() == 0


def rows_of(path: Path) -> int:
    """Details in a workbook."""
    return xlrd.open_workbook(path).sheet_by_name("details").nrows - 1


def test_the_first_export_with_the_official_sdk(environment, tmp_path):
    program = block("python", "IoTDAClient")
    assert len([line for line in program.splitlines() if line]) <= 12
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, check=True)
    assert rows_of(tmp_path / "results.xls") == 1000


def test_the_first_export_with_curl(home, environment, tmp_path):
    home.run("limits", "set", "--download-interval", "0")
    script = "set -euo pipefail\n" + block("bash", "TOKEN=")
    subprocess.run(["bash", "-c", script], env=environment, cwd=tmp_path, check=True, timeout=60)
    assert rows_of(tmp_path / "results.xls") == 1000


def test_the_export_with_curl_ends_with_a_word_where_there_is_no_file(home, environment, tmp_path):
    def refused(**given: str) -> str:
        script = "set -euo pipefail\n" + block("bash", "TOKEN=")
        run = {"env": environment | given, "cwd": tmp_path, "check": True, "timeout": 60}
        done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True, **run)
        return json.loads(done.stdout)["error_code"] if done.stdout else ""

    home.run("limits", "set", "--download-interval", "0")
    assert refused() == ""
    (tmp_path / "results.xls").unlink()
    assert refused(BATCH_TASK="0" * 24) == "IOTDA.014703"
    home.run("limits", "set", "--download-interval", "600")
    assert refused() == "IOTDA.014704"
    assert list(tmp_path.iterdir()) == []
    home.run("limits", "set", "--download-interval", "0")


def test_the_page_about_policies_does_what_it_says(home, tmp_path):
    page = (ROOT / "docs" / "policies.md").read_text().replace("plant-1", home.project)
    (policy,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (dialogue,) = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "policy.json"
    file.write_text(policy)
    printed = re.split(r"^\$ export-tasks (.*)\n", dialogue, flags=re.MULTILINE)[1:]
    for line, wanted in zip(printed[::2], printed[1::2], strict=True):
        arguments = [str(file) if each == file.name else each for each in shlex.split(line, True)]
        told = home.run(*arguments)
        assert told.strip().startswith(wanted.strip()), line


def test_the_page_about_replay_does_what_it_says(tmp_path):
    page = (ROOT / "docs" / "replay.md").read_text()
    (dialogue,) = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    (event,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    home = Home(tmp_path)
    place = Installation(home)
    task = place.create(home.batch(5))
    place.export()
    words = {"plant-1": home.project, "TASK": task, "USER": home.begun["user_id"]}
    for word, meaning in words.items():
        dialogue = dialogue.replace(word, meaning)
    line, wanted = dialogue.removeprefix("$ export-tasks ").split("\n", 1)
    assert home.run(*shlex.split(line)).startswith(wanted)
    told = home.run("event", "list", "--from", "8", "--to", "8", "--format", "cloudevents")
    assert list(json.loads(told)) == list(json.loads(event))
    assert json.loads(told)["type"] == json.loads(event)["type"]


def test_the_page_about_the_command_line_does_what_it_says(home, environment, tmp_path):
    home.run("limits", "set", "--download-interval", "0")
    page = (ROOT / "docs" / "command-line.md").read_text()
    (script,) = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    given = re.sub(r"export (\w+)=(?:…|http://127.0.0.1:8080)", r"test -n $\1", script)
    assert given.count("test -n $") == 4
    path = f"{Path(sys.executable).parent}:{environment['PATH']}"
    given = given.replace("5f433ce0c24389024365fdfa", environment["BATCH_TASK"])
    subprocess.run(
        ["bash", "-euc", given], env=environment | {"PATH": path}, cwd=tmp_path, check=True
    )
    (file,) = tmp_path.iterdir()
    assert rows_of(file) == 1000


def test_the_tutorial_does_what_it_says(home, environment, tmp_path):
    home.run("limits", "set", "--download-interval", "0")
    page = (ROOT / "docs" / "tutorial.md").read_text()
    _, have, export, look = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    shown = {name: environment[name] for name in re.findall(r"(EXPORT_TASKS_\w+)=", have)}
    assert len(shown) == 4
    for name, value in shown.items():
        have = re.sub(rf"{name}=\S+", f"{name}={value}", have)
    have = have.replace("$PWD/.venv/bin", str(Path(sys.executable).parent))
    *before, generate = have.strip().splitlines()
    # As a terminal has it: nothing is known but what the page says.
    script = "\n".join(
        (*before, f"printed=$({generate} | grep -o '[0-9a-f]\\{{24\\}}')", export, look)
    )
    script = script.replace("BATCH_TASK=…", "BATCH_TASK=$printed")
    known = {
        name: value for name, value in environment.items() if name not in (*shown, "BATCH_TASK")
    }
    subprocess.run(["bash", "-euc", script], env=known, cwd=tmp_path, check=True)
    assert rows_of(tmp_path / "results.xls") == 1000


def test_the_page_about_running_does_what_it_says(tmp_path):
    page = (ROOT / "docs" / "running.md").read_text()
    restart, search = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    home = Home(tmp_path)
    service = home.serve()
    before = set(service.children())
    run = {"env": home.environment, "cwd": tmp_path, "check": True}
    subprocess.run(["bash", "-c", restart], **run)
    eventually(lambda: '"restarted"' in service.text())
    assert not before & set(service.children())
    with urlopen(f"{service.endpoint}/docs") as answer:
        run["env"] = {**home.environment, "REQUEST_ID": answer.headers["x-request-id"]}
    eventually(lambda: run["env"]["REQUEST_ID"] in service.text())
    (tmp_path / "export-tasks.log").write_text(service.text())
    found = subprocess.run(["bash", "-c", search], **run, capture_output=True, text=True).stdout
    assert json.loads(found)["route"] == "/docs"
    assert service.stop() == 0


# The page about the audit, for an auditor who has a bundle and a key, and for the operator


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """A home whose log was sealed and then went on by one event, and what an auditor is given."""
    case = Case(tmp_path_factory.mktemp("audit"))
    yield case
    case.home.close()


class Case:
    """A home, a bundle of its log, and the words that the page writes `$KEY` and `$TASK` for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder)
        place = Installation(self.home)
        task = place.create(self.home.batch(5))
        place.export()
        self.words = {"$KEY": KEY.verifier.text, "$TASK": task}
        at_home = folder / "home"
        note = seal(f"sqlite:///{at_home}/events.sqlite", at_home / "audit")
        self.home.run("limits", "set", "--kept", "49")
        self.home.run("audit", "bundle", str(folder / "bundle"))
        shutil.copy(note, folder / "bundle" / "checkpoint.txt")
        (folder / "bundle" / "receipt.json").write_text(self.home.run("audit", "receipt", task))

    def says(self, line: str) -> str:
        """What a line of the page prints; the verifier runs where nothing of ours is."""
        for word, meaning in self.words.items():
            line = line.replace(word, meaning)
        program, *arguments = shlex.split(line)
        if program == "export-tasks":
            given = [str(self.folder / a) if a.startswith("case-") else a for a in arguments]
            return self.home.run(*given).replace(f"{self.folder}/", "")
        command = [sys.executable, "-I", "-S", *arguments]
        done = subprocess.run(
            command, cwd=self.folder / "bundle", capture_output=True, text=True, check=True
        )
        return done.stdout


AUDIT = (ROOT / "docs" / "audit.md").read_text()


def test_the_page_about_the_audit_does_what_it_says(case):
    blocks = re.findall(r"```console\n(.*?)```", AUDIT, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        printed = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
        for line, wanted in zip(printed[::2], printed[1::2], strict=True):
            told = case.says(line)
            assert numbers(told).startswith(numbers(wanted.strip())), (line, told)


def numbers(text: str) -> str:
    """The text with every number the same: how many events there are is not what is told."""
    return re.sub(r"\b\d+\b", "N", text)


def test_a_time_stamp_is_taken_as_the_page_says(case, tmp_path):
    (recipe,) = re.findall(r"```bash\n(.*?)```", AUDIT, re.DOTALL)
    script = f"set -euo pipefail\n{AUTHORITY}\n{recipe}"
    command = Path(sys.executable).with_name("export-tasks")
    path = f"{command.parent}:{case.home.environment['PATH']}"
    environment = {**case.home.environment, "PATH": path, "TSA": "http://tsa.example.com"}
    done = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert "Verification: OK" in done.stdout + done.stderr


AUTHORITY = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tsa.key -out tsa.pem \\
    -subj /CN=tsa -days 2 -addext extendedKeyUsage=critical,timeStamping 2> words
echo 01 > serial
printf '%s\\n' '[t]' 'serial = serial' 'signer_digest = sha256' 'default_policy = 1.2.3.4' \\
    'digests = sha256' > tsa.cnf
curl() {
    openssl ts -reply -config tsa.cnf -section t -queryfile checkpoint.tsq -signer tsa.pem \\
        -inkey tsa.key -out checkpoint.tsr 2> words
}
"""
"""A time-stamping authority of the test's own, where `curl` would ask one."""
