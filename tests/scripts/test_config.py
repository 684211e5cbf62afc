"""`config`: settings, their values and where they come from."""

import json
import subprocess

from api.settings import SETTINGS
from scripts.group import command_line

SETTINGS_BY_NAME = {setting.name: setting for setting in SETTINGS}


def rows(command) -> dict:
    return {row["variable"]: row for row in command.json("config", "show")}


def test_every_setting_is_shown_with_its_origin(command, home, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_PORT", "9000")
    shown = rows(command)
    assert set(shown) == {setting.variable for setting in SETTINGS}
    assert (shown["EXPORT_TASKS_PORT"]["value"], shown["EXPORT_TASKS_PORT"]["origin"]) == (
        "9000",
        "environment",
    )
    assert shown["EXPORT_TASKS_WORKERS"]["origin"] == "default"
    assert shown["EXPORT_TASKS_EVENTS"]["value"] == f"sqlite:///{home}/events.sqlite"


def test_a_secret_is_never_shown(command, monkeypatch, tmp_path):
    secret = "a secret key that nobody should ever see"
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY", secret)
    for flags in ((), ("--json",)):
        told = command("config", "show", *flags).output
        assert secret not in told
        assert "(hidden)" in told
    monkeypatch.delenv("EXPORT_TASKS_SECRET_KEY")
    (tmp_path / "secret").write_text(secret)
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY_FILE", str(tmp_path / "secret"))
    assert secret not in command("config", "show", "--json").output


def test_a_password_in_an_address_is_never_shown(command, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_EVENTS", "postgresql://u:secret@h/d")
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", "postgresql://h/d?user=u&password=secret")
    assert "secret" not in command("config", "show").output
    shown = rows(command)
    assert shown["EXPORT_TASKS_EVENTS"]["value"] == "postgresql://u:…@h/d"
    assert shown["EXPORT_TASKS_SOURCE"]["value"] == "postgresql://h/d?user=u&password=…"


def test_a_password_is_not_told_by_whoever_cannot_reach_the_source(command, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", "postgresql://reader:secret@127.0.0.1:1/fleet")
    assert (
        rows(command)["EXPORT_TASKS_SOURCE"]["value"] == "postgresql://reader:…@127.0.0.1:1/fleet"
    )
    for code, asked in ((1, ["batch", "list"]), (3, ["doctor"]), (0, ["config", "show"])):
        assert "secret" not in command(*asked, exit_code=code).output


def test_what_the_object_store_is_asked_with_is_shown_where_it_is_used(command, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://me:hush@s3.example.org")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "hush-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    assert "AWS_ENDPOINT_URL" not in rows(command)
    monkeypatch.setenv("EXPORT_TASKS_RESULTS", "s3://bucket/results")
    assert "hush" not in command("config", "show").output
    found = rows(command)
    endpoint = found["AWS_ENDPOINT_URL"]
    assert (endpoint["value"], endpoint["origin"]) == ("https://me:…@s3.example.org", "environment")
    assert found["AWS_SECRET_ACCESS_KEY"]["value"] == "(hidden)"
    token = found["AWS_SESSION_TOKEN"]
    assert (token["value"], token["origin"]) == (None, "default")


def test_showing_the_settings_makes_no_file(command, home):
    command("config", "show")
    assert not home.exists()


def test_the_example_names_every_setting_and_is_an_environment_file(command):
    lines = command("config", "example").stdout.splitlines()
    named = [line.removeprefix("# ").partition("=")[0] for line in lines if "EXPORT_TASKS_" in line]
    assert named == [setting.variable for setting in SETTINGS]
    assert all(not line or line.startswith("#") for line in lines)


def test_the_example_is_used_as_its_first_lines_say(command, home, tmp_path):
    lines = command("config", "example").stdout.splitlines()
    given = {line for line in lines if line.startswith("# EXPORT_TASKS_") and line[-1] != "="}
    assert f"# EXPORT_TASKS_SWEEP_AFTER={SETTINGS_BY_NAME['sweep_after'].default}" in given
    changed = [line.removeprefix("# ") if line in given else line for line in lines]
    (tmp_path / "export-tasks.env").write_text("\n".join(changed))
    (how,) = [line for line in lines if line.startswith("# A shell: ")]
    recipe = how.partition(":")[2].replace("export-tasks serve", '"$@"')
    show = command_line("config", "show", "--json")
    done = subprocess.run(
        ["bash", "-euc", recipe, "bash", *show], cwd=tmp_path, capture_output=True, check=True
    )
    shown = {row["variable"]: row for row in json.loads(done.stdout)}
    default = rows(command)
    for variable in (line.split()[1].partition("=")[0] for line in given):
        assert shown[variable] == default[variable] | {"origin": "environment"}
