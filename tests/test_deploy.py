"""What `deploy/` holds is right, as far as it can be told without machines of its own; and what
can be run here, is.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import stat
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import psycopg
import pytest
import yaml

from api.settings import PREFIX, SETTINGS, Settings
from exporter.sources import open_source
from scripts.alive import NotAlive, ask
from scripts.cli import ROOMS, cli
from tests.ports import kept_port
from tests.service import Home, eventually

if TYPE_CHECKING:
    from tests.database import Database

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
PROGRAM = "/opt/export-tasks/bin/export-tasks"
CONTAINERFILE = (DEPLOY / "container" / "Containerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
NGINX = (DEPLOY / "proxy" / "nginx.conf").read_text()
CADDY = (DEPLOY / "proxy" / "Caddyfile").read_text()
PORT = int(next(each.default for each in SETTINGS if each.name == "port"))
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
SHELL = [DEPLOY / "systemd" / "export-tasks-operate", DEPLOY / "compose" / "begin"]

systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")


def must_parse(arguments: list[str]) -> None:
    """A command line of ours is one: every command and option of it is there."""
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments.pop(0))
        assert found
        command = found
    command.make_context(command.name, arguments, resilient_parsing=True)
    known = {name for each in command.params for name in each.opts}
    assert {each for each in arguments if each.startswith("--")} <= known


# Everywhere


def test_every_setting_that_is_named_is_one():
    known = {each.variable for each in SETTINGS} | {s.file_variable for s in SETTINGS if s.secret}
    for path in [each for each in DEPLOY.rglob("*") if each.is_file()]:
        named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", path.read_text()))
        assert named <= known, path


@pytest.mark.parametrize("script", SHELL, ids=lambda path: path.name)
def test_the_shell_scripts_are_programs_of_bash(script):
    assert script.stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_page_tells_of_every_file():
    page = (DEPLOY / "README.md").read_text()
    files = [each for each in DEPLOY.rglob("*") if each.is_file() and each.name != "README.md"]
    assert [each.name for each in files if f"`{each.relative_to(DEPLOY)}`" not in page] == []


# systemd


@pytest.fixture
def unit(tmp_path, request) -> Path:
    """A unit whose program is there."""
    program = Path(sys.executable).with_name("export-tasks")
    text = request.param.read_text()
    assert PROGRAM in text
    path = tmp_path / request.param.name
    path.write_text(text.replace(PROGRAM, str(program)))
    return path


every_unit = pytest.mark.parametrize("unit", UNITS, indirect=True, ids=lambda path: path.name)


@systemd
@every_unit
def test_systemd_has_nothing_to_say_of_a_unit(unit):
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@systemd
@every_unit
@pytest.mark.parametrize(("most", "code"), [("20", 0), ("10", 1)])
def test_a_unit_exposes_little(unit, most, code):
    judge = ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", str(unit)]
    done = subprocess.run(judge, capture_output=True, text=True)
    assert done.returncode == code, done.stdout


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_there_is(path):
    (line,) = re.findall(rf"^ExecStart={PROGRAM} (.*)$", path.read_text(), re.MULTILINE)
    must_parse(shlex.split(line))


def test_the_example_of_an_environment_is_one():
    lines = (DEPLOY / "systemd" / "environment.example").read_text().splitlines()
    given = dict(
        line.removeprefix("# ").split("=", 1) for line in lines if re.match(r"(# )?\w+=", line)
    )
    assert len(given) > 8
    Settings.read(given)
    as_it_is = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    assert Settings.read(as_it_is).host == "127.0.0.1"  # until somebody has thought of TLS


# The container


def test_the_image_is_pinned_and_its_user_is_not_root():
    images = re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)
    assert len(images) == 2
    assert all(is_pinned(each) for each in images)
    assert re.findall(r"^USER (.*)$", CONTAINERFILE, re.MULTILINE) == ["10001:10001"]


def is_pinned(image: str) -> bool:
    """By a version of three parts, or two where the project counts so."""
    return bool(re.search(r":\d+\.\d+[\w.-]*$", image))


def test_everything_that_is_installed_is_locked():
    installs = re.findall(r"pip install (.*?)(?: \\)?$", CONTAINERFILE, re.MULTILINE)
    assert len(installs) == 3
    for each in installs:
        assert "--require-hashes" in each or "--no-deps --no-index" in each, each


def test_what_builds_the_wheel_is_a_part_of_the_development_lock():
    build = (DEPLOY / "container" / "requirements-build.lock").read_text()
    pins = dict(PIN.findall(build))
    development = dict(PIN.findall((ROOT / "requirements-dev.lock").read_text()))
    assert pins.items() <= development.items()
    needed = {re.split(r"[^a-z0-9-]", each)[0] for each in requires("hatchling") if ";" not in each}
    assert needed | {"hatchling"} == set(pins)
    assert build.count("--hash=sha256:") >= len(pins)


def test_what_is_copied_is_there_and_the_five_rooms_are():
    lines = re.findall(r"^COPY (?!--from)(.*)$", CONTAINERFILE, re.MULTILINE)
    copied = [each for line in lines for each in line.split()[:-1]]
    assert [each for each in copied if not (ROOT / each).exists()] == []
    assert set(ROOMS) <= set(copied)


def test_the_health_check_and_the_command_are_ours():
    (check,) = re.findall(r"HEALTHCHECK .*\\\n\s+CMD (\[.*\])", CONTAINERFILE)
    program, *arguments = json.loads(check)
    assert program == "export-tasks"
    must_parse(arguments)
    assert re.findall(r"^ENTRYPOINT (.*)$", CONTAINERFILE, re.MULTILINE) == ['["export-tasks"]']
    (command,) = re.findall(r"^CMD (.*)$", CONTAINERFILE, re.MULTILINE)
    must_parse(json.loads(command))


def test_whoever_asks_whether_a_service_is_alive_is_told(tmp_path):
    home = Home(tmp_path)
    port = kept_port(home)
    home.environment["EXPORT_TASKS_PORT"] = str(port)
    assert "/livez" in home.refused("worker", "alive")
    service = home.serve("--drain", "600s", port=port)
    home.run("worker", "alive")
    home.run("worker", "alive", "--ready")
    service.process.terminate()
    eventually(lambda: is_refused(home))
    assert "/readyz" in home.refused("worker", "alive", "--ready")
    home.run("worker", "alive")
    home.close()


def is_refused(home: Home) -> bool:
    try:
        ask(Settings.read(home.environment), "/readyz")
    except NotAlive as error:
        return "503" in str(error)
    return False


# Compose

SERVICES: dict[str, Any] = COMPOSE["services"]
NODES = {name: each for name, each in SERVICES.items() if "build" in each}


def test_there_are_several_nodes_of_each_kind_and_all_are_confined():
    kinds = [each["command"][0] for each in NODES.values()]
    assert kinds.count("serve") >= 2
    assert kinds.count("exporter") >= 2
    for each in NODES.values():
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert "privileged" not in each


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned(name):
    assert is_pinned(SERVICES[name]["image"])


@pytest.mark.parametrize("name", NODES)
def test_a_nodes_command_and_settings_are_ours(name, tmp_path):
    must_parse(list(NODES[name]["command"]))
    secret = tmp_path / "secret_key"
    secret.write_text("s" * 44)
    given = NODES[name]["environment"]
    assert given["EXPORT_TASKS_SECRET_KEY_FILE"] == "/run/secrets/secret_key"
    Settings.read({**given, "EXPORT_TASKS_SECRET_KEY_FILE": str(secret)})


def test_whatever_is_named_is_declared():
    volumes = {
        mount.split(":")[0] for each in SERVICES.values() for mount in each.get("volumes", ())
    }
    named = {each for each in volumes if not each.startswith(".")}
    assert named == set(COMPOSE["volumes"])
    for file in volumes - named:
        made = file == "./s3.json"
        assert made or (DEPLOY / "compose" / file).exists(), file
    depended = {other for each in SERVICES.values() for other in each.get("depends_on", ())}
    assert depended <= set(SERVICES)


def test_no_password_stands_in_the_file():
    words = re.findall(r"\w*(?:PASSWORD|SECRET_ACCESS_KEY): (.*)", json_less(COMPOSE))
    assert words
    assert all(each.startswith("${") and ":?" in each for each in words)


def json_less(document: object) -> str:
    return yaml.safe_dump(document, width=1000)


def test_the_secrets_are_drawn_once_and_none_of_them_is_committed(tmp_path):
    shutil.copy(DEPLOY / "compose" / "begin", tmp_path)
    subprocess.run([tmp_path / "begin"], check=True)
    drawn = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    variables = set(re.findall(r"\$\{(\w+):", json_less(COMPOSE)))
    assert set(drawn) == variables
    identity = json.loads((tmp_path / "s3.json").read_text())["identities"][0]
    assert identity["credentials"][0]["secretKey"] == drawn["S3_SECRET_KEY"]
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    Settings.read({"EXPORT_TASKS_SECRET_KEY_FILE": str(tmp_path / "secret.key")})
    assert subprocess.run([tmp_path / "begin"], capture_output=True).returncode == 1
    ignored = (ROOT / ".gitignore").read_text()
    assert all(f"/deploy/compose/{name}" in ignored for name in (".env", "secret.key", "s3.json"))


def test_the_tables_of_the_example_are_a_source(database: Database):
    url = database.fresh()
    _, tables = (DEPLOY / "compose" / "fleet.sql").read_text().split("\\connect fleet\n")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(tables)  # type: ignore[call-overload]
    source = open_source(url)
    try:
        source.check()
    finally:
        source.close()


# The proxy


def test_the_ports_agree():
    assert re.findall(r"^EXPOSE (\d+)$", CONTAINERFILE, re.MULTILINE) == [str(PORT)]
    upstream = set(re.findall(r"server (\S+?):(\d+);", NGINX))
    assert upstream == {(name, str(PORT)) for name in NODES if name.startswith("api")}
    named = re.search(r"reverse_proxy (.*) \{", CADDY)
    assert named
    assert {tuple(each.split(":")) for each in named[1].split()} == upstream
    (published,) = SERVICES["proxy"]["ports"]
    assert f"listen {published.rpartition(':')[2]};" in NGINX


def test_the_other_proxy_asks_whether_a_node_is_ready_and_keeps_nothing_back():
    assert CADDY.count("{") == CADDY.count("}")
    assert "health_uri /readyz" in CADDY
    assert "flush_interval -1" in CADDY
    assert "header_up Host" not in CADDY
