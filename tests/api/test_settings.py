"""Settings: defaults, where a value comes from, and what is refused by name."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.settings import SETTINGS, Settings, SettingsError, duration
from exporter.results import LocalResults, open_results

LONG = "a secret that is long enough, really"


def read(tmp_path, **variables):
    """Settings of an environment that names a home."""
    environment = {f"EXPORT_TASKS_{k}": v for k, v in variables.items()}
    return Settings.read({"EXPORT_TASKS_HOME": str(tmp_path), **environment})


def test_without_any_variable_everything_has_the_contracts_default():
    settings = Settings.read({})
    home = settings.home
    assert home.name == "export-tasks"
    assert home.is_absolute()
    assert settings.events == f"sqlite:///{home}/events.sqlite"
    assert settings.read_dir == home / "read"
    assert settings.results == f"file://{home}/results"
    assert settings.source == f"sqlite:///{home}/source.sqlite"
    assert settings.audit == f"file://{home}/audit"
    assert settings.audit_sinks == ()
    assert (settings.lease, settings.attempts, settings.sweep_after) == (60, 3, 86_400)
    assert (settings.download, settings.domain) == ("xls", "default")
    assert (settings.instances, settings.instance_required) == ((), False)
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.workers, settings.exporters) == (1, 1)
    assert {given.origin for given in settings.given.values()} == {"default"}


def test_a_flag_goes_before_the_environment_and_that_before_the_default():
    environment = {"EXPORT_TASKS_PORT": "1", "EXPORT_TASKS_HOST": "::1"}
    settings = Settings.read(environment, port=2, host=None)
    assert (settings.port, settings.host, settings.workers) == (2, "::1", 1)
    origins = {name: settings.given[name].origin for name in ("port", "host", "workers")}
    assert origins == {"port": "flag", "host": "environment", "workers": "default"}


def test_other_variables_and_those_of_the_client_are_left_alone():
    names = ("ENDPOINT", "AK", "SK", "SK_FILE", "PROJECT")
    Settings.read({"PATH": "/bin", **{f"EXPORT_TASKS_{name}": "x" for name in names}})


@pytest.mark.parametrize("name", ["EXPORT_TASKS_PROT", "EXPORT_TASKS_PORT_FILE", "EXPORT_TASKS_"])
def test_an_unknown_variable_is_refused_by_its_name(name):
    with pytest.raises(SettingsError, match=f"^{name} is not a setting"):
        Settings.read({name: "1"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PROT", "PORT"),
        ("ENDPIONT", "ENDPOINT"),
        ("WORKER", "WORKERS"),
        ("SECRETKEY", "SECRET_KEY"),
    ],
)
def test_of_an_unknown_variable_the_nearest_is_told(name, meant):
    with pytest.raises(SettingsError, match=f"; did you mean EXPORT_TASKS_{meant}\\?$"):
        Settings.read({f"EXPORT_TASKS_{name}": "1"})


@pytest.mark.parametrize("name", ["", "COLOUR", "PORT_FILE"])
def test_of_an_unknown_variable_that_is_like_none_no_other_is_told(name):
    with pytest.raises(SettingsError, match=r"is not a setting of export-tasks\.$"):
        Settings.read({f"EXPORT_TASKS_{name}": "1"})


@pytest.mark.parametrize("name", ["HOME", "READ_DIR"])
@pytest.mark.parametrize("below", ["", "/home"])
def test_a_folder_that_is_a_file_is_named_with_its_setting(tmp_path, name, below):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=rf"^EXPORT_TASKS_{name}: {tmp_path}/file is a file"):
        Settings.read({f"EXPORT_TASKS_{name}": f"{tmp_path}/file{below}"})


def test_an_unknown_flag_is_refused_by_its_name():
    with pytest.raises(SettingsError, match="'prot' is not a setting"):
        Settings.read({}, prot=1)


@pytest.mark.parametrize(
    ("name", "least", "most", "below", "beyond"),
    [
        ("LEASE", "1s", "1h", "0.9", "3601"),
        ("ATTEMPTS", "1", "100", "0", "101"),
        ("SWEEP_AFTER", "0", "8784h", "-1", "8785h"),
        ("PORT", "0", "65535", "-1", "65536"),
        ("WORKERS", "1", "64", "0", "65"),
        ("EXPORTERS", "0", "64", "-1", "65"),
        ("SOURCE_RATE", "1", "1000", "0", "1001"),
        ("DRAIN", "0", "10m", "-1", "601"),
        ("INSTANCES", "i", "i" * 36, "i,", "i" * 37),
        ("SECRET_KEY", "s" * 32, "s" * 5000, "s" * 31, ""),
        ("AUDIT_SINKS", "syslog://h:1", "syslog://h:65535", "syslog://h:0", "syslog://h:65536"),
    ],
)
def test_limits_of_values_hold_on_both_sides(tmp_path, name, least, most, below, beyond):
    for value in (least, most):
        read(tmp_path, **{name: value})
    for value in (below, beyond):
        with pytest.raises(SettingsError, match=f"^EXPORT_TASKS_{name}: "):
            read(tmp_path, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOME", ""),
        ("EVENTS", "mysql://x"),
        ("EVENTS", ""),
        ("RESULTS", "/results"),
        ("SOURCE", "iotda://x"),
        ("READ_DIR", ""),
        ("AUDIT", "/audit"),
        ("AUDIT", "gs://bucket"),
        ("AUDIT_SINKS", "file:///a,"),
        ("AUDIT_SINKS", "file:///"),
        ("AUDIT_SINKS", "file://a"),
        ("AUDIT_SINKS", "syslog://host"),
        ("AUDIT_SINKS", "syslog://:514"),
        ("AUDIT_SINKS", "syslog://host:514/x"),
        ("AUDIT_SINKS", "syslog://host:٥"),
        ("AUDIT_SINKS", "https://host"),
        ("LEASE", "1d"),
        ("LEASE", "١"),
        ("ATTEMPTS", "three"),
        ("ATTEMPTS", "²"),
        ("DOWNLOAD", "xlsx"),
        ("INSTANCE_REQUIRED", "yes"),
        ("DOMAIN", " "),
        ("HOST", ""),
        ("TLS_CERT", ""),
        ("TLS_KEY", "a\0b"),
        ("FORWARDED_ALLOW_IPS", "proxy.example"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1/8"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1,"),
    ],
)
def test_a_value_that_does_not_parse_is_refused_by_its_name(tmp_path, name, value):
    with pytest.raises(SettingsError, match=f"^EXPORT_TASKS_{name}: "):
        read(tmp_path, **{name: value})


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("5m", 300), ("1h", 3600), ("0.5s", 0.5)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1", "1 s", "1d", "1e3", "30S", "1.", "nan"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="is no duration such as"):
        duration(text)


def test_a_number_with_zeros_before_it_is_that_number(tmp_path):
    assert read(tmp_path, PORT="0000008080").port == 8080
    assert read(tmp_path, PORT="0" * 5000).port == 0


def test_words_and_lists(tmp_path):
    settings = read(tmp_path, INSTANCES="a, b,c", INSTANCE_REQUIRED="true", DOWNLOAD="zip")
    assert settings.instances == ("a", "b", "c")
    assert settings.instance_required
    assert settings.download == "zip"
    sinks = read(tmp_path, AUDIT_SINKS="file:///a%20b, s3://a/b, syslog:///dev/log").audit_sinks
    assert sinks == ("file:///a%20b", "s3://a/b", "syslog:///dev/log")
    proxies = read(tmp_path, FORWARDED_ALLOW_IPS="10.0.0.0/8, ::1").forwarded_allow_ips
    assert proxies == ("10.0.0.0/8", "::1/128")
    mapped = read(tmp_path, FORWARDED_ALLOW_IPS="::ffff:127.0.0.1, ::ffff:10.0.0.0/104, ::/0")
    assert mapped.forwarded_allow_ips == ("127.0.0.1/32", "10.0.0.0/8", "::/0")


def test_the_home_is_made_absolute_and_filled_in_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {"EXPORT_TASKS_HOME": "here", "EXPORT_TASKS_EVENTS": "sqlite:///{home}/e"}
    settings = Settings.read(environment)
    assert settings.home == tmp_path / "here"
    assert settings.events == f"sqlite:///{tmp_path}/here/e"


def test_a_home_with_a_percent_sign_keeps_its_results_where_it_is(tmp_path):
    results = open_results(read(tmp_path / "a%41 b").results, tmp_path)
    assert isinstance(results, LocalResults)
    assert results.folder == tmp_path / "a%41 b" / "results"


def test_every_setting_has_a_meaning_and_a_field():
    settings = Settings.read({})
    for setting in SETTINGS:
        assert setting.meaning
        assert setting.secret or hasattr(settings, setting.name)
        assert setting.name in settings.given


def test_children_read_the_very_same_settings(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text(LONG)
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("EXPORT_TASKS_PORT", "1")
    monkeypatch.setenv("EXPORT_TASKS_PROJECT", "p1")
    settings = Settings.read(home=tmp_path, port=2)
    environment = settings.environment()
    child = Settings.read(environment)
    for name in (*Settings.__dataclass_fields__,):
        assert name == "given" or getattr(child, name) == getattr(settings, name)
    assert environment["PATH"] == os.environ["PATH"]
    assert environment["EXPORT_TASKS_PROJECT"] == "p1"


# The secret key


def test_a_secret_key_is_taken_as_text_or_from_a_file_and_never_shown(tmp_path):
    path = tmp_path / "secret"
    path.write_text(LONG + "\n")
    for settings in (read(tmp_path, SECRET_KEY=LONG), read(tmp_path, SECRET_KEY_FILE=str(path))):
        assert settings.secret_key() == LONG.encode()
        assert LONG not in repr(settings)
    assert not (tmp_path / "secret.key").exists()


def test_a_secret_key_given_twice_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="EXPORT_TASKS_SECRET_KEY_FILE are both given"):
        read(tmp_path, SECRET_KEY=LONG, SECRET_KEY_FILE=str(tmp_path / "secret"))


def test_a_secret_file_that_cannot_be_read_is_refused_by_name(tmp_path):
    with pytest.raises(SettingsError, match=r"^EXPORT_TASKS_SECRET_KEY_FILE: .*cannot be read"):
        read(tmp_path, SECRET_KEY_FILE=str(tmp_path / "none"))


def test_a_secret_key_is_made_once_and_privately(tmp_path):
    settings = read(tmp_path / "deep" / "home")
    made = settings.secret_key()
    path = settings.home / "secret.key"
    assert len(made) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert read(settings.home).secret_key() == made
    assert [each.name for each in settings.home.iterdir()] == ["secret.key"]


def test_many_that_make_a_secret_key_at_once_agree(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(lambda _: read(tmp_path / "home").secret_key(), range(64)))
    assert len(made) == 1
    assert [each.name for each in (tmp_path / "home").iterdir()] == ["secret.key"]


def test_a_secret_key_file_that_is_no_good_is_refused(tmp_path):
    (tmp_path / "secret.key").write_text("short")
    with pytest.raises(SettingsError, match=r"^EXPORT_TASKS_SECRET_KEY: .*at least 32 bytes"):
        read(tmp_path).secret_key()


def test_a_home_that_cannot_be_made_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"^EXPORT_TASKS_SECRET_KEY: .*cannot be used"):
        read(Path(tmp_path) / ("long" * 100)).secret_key()


def test_where_machines_may_share_an_event_store_the_secret_key_must_be_given(tmp_path):
    shared = {"home": tmp_path, "events": "postgresql://db/log"}
    with pytest.raises(SettingsError, match="SECRET_KEY must be given, the same on all machines"):
        Settings.read({}, **shared).secret_key()
    assert list(tmp_path.iterdir()) == []
    given = {"EXPORT_TASKS_SECRET_KEY": "k" * 32}
    assert Settings.read(given, **shared).secret_key() == b"k" * 32
    assert len(Settings.read({}, home=tmp_path).secret_key()) >= 32


def test_a_key_that_lies_in_the_home_is_not_given(tmp_path):
    (tmp_path / "secret.key").write_text("k" * 32)
    with pytest.raises(SettingsError, match="must be given"):
        Settings.read({}, home=tmp_path, events="postgresql://db/log").secret_key()
