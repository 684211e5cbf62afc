"""Settings: the environment, read once, frozen; one registry says what there is to set."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self
from urllib.parse import quote

from platformdirs import user_data_path

from api import values
from api.secret_files import PREFIX as PREFIX
from api.secret_files import SettingsError as SettingsError
from api.secret_files import kept_secret, read_secret
from api.values import PORT_MOST
from api.values import duration as duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OF_THE_CLIENT = ("ENDPOINT", "AK", "SK", "SK_FILE", "SECURITY_TOKEN", "PROJECT")
"""What `export …` reads, without the prefix; no setting of the service."""

KEY_FILE, NEXT_KEY_FILE = "secret.key", "secret.key.next"
SIDE_LOG, SPOOLS = "refused.sqlite", "spool"
AUDIT_KEY, AUDIT_STATE = "audit.key", "audit.json"

LEASE_LEAST, LEASE_MOST = 1.0, 3600.0
ATTEMPTS_MOST = 100
SWEEP_AFTER_MOST = 366 * 86_400.0
WORKERS_MOST = EXPORTERS_MOST = 64
SOURCE_RATE_MOST = 1000
DRAIN_MOST = 600.0

LIKENESS = 0.7
"""How much a name must be like another one, of 1, for that one to be what was meant."""

Origin = Literal["flag", "environment", "default"]

_APPLICATION = "export-tasks"


class Setting(NamedTuple):
    """Something to set: its name, default and meaning, and what makes a value of the text.

    `secret` ones are never shown, and can also be given as a file's name, by `…_FILE`.
    """

    name: str
    default: str | None
    meaning: str
    parse: Callable[[str], Any]
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def file_variable(self) -> str:
        """The environment variable that names a file with the value, if it is a secret."""
        return self.variable + "_FILE"


SETTINGS = (
    Setting("home", None, "where the embedded default keeps everything", values.folder),
    Setting("events", "sqlite:///{home}/events.sqlite", "the event store: sqlite:///PATH or "
            "postgresql://…", values.place("sqlite:///", "postgresql://")),
    Setting("read_dir", "{home}/read", "this node's read tables; can be deleted", values.folder),
    Setting("results", "file:///{home}/results", "result files: file:///FOLDER or "
            "s3://bucket/prefix", values.place("file:///", "s3://")),
    Setting("source", "sqlite:///{home}/source.sqlite", "batch tasks: sqlite:///PATH, "
            "postgresql://… or iotda+https://endpoint",
            values.place("sqlite:///", "postgresql://", "iotda+https://", "iotda+http://")),
    Setting("source_region", "", "the region of an iotda+https:// source", str),
    Setting("source_rate", "100", "requests a second to an iotda+https:// source",
            values.number(1, SOURCE_RATE_MOST)),
    Setting("audit", "file:///{home}/audit", "signed checkpoints of the event log, and what proves "
            "events by them: file:///FOLDER or s3://…", values.place("file:///", "s3://")),
    Setting("audit_sinks", "", "who else gets every checkpoint, with commas: file:///FOLDER, "
            "s3://bucket/prefix, syslog:///dev/log, syslog://HOST:514", values.sinks),
    Setting("lease", "60s", "after which a silent exporter's task is taken over",
            values.seconds(LEASE_LEAST, LEASE_MOST)),
    Setting("attempts", "3", "crashes before a task fails", values.number(1, ATTEMPTS_MOST)),
    Setting("sweep_after", "24h", "how long a superseded file stays: longer than any download, "
            "any backup's age", values.seconds(0, SWEEP_AFTER_MOST)),
    Setting("download", "xls", "xls, or zip: files are packed when they are made",
            values.one_of("xls", "zip")),
    Setting("instances", "", "known instances, with commas; none: Instance-Id is not checked",
            values.instances),
    Setting("instance_required", "false", "must a create send Instance-Id", values.truth),
    Setting("record_addresses", "true", "say in events, sealed, from which address it was asked",
            values.truth),
    Setting("domain", "default", "the domain of tokens", values.some_text),
    Setting("secret_key", None, "encrypts stored secrets, signs tokens; made in {home}/secret.key "
            "where it is not given; the same on all machines of an event store",
            values.secret, secret=True),
    Setting("host", "127.0.0.1", "the address to listen on", values.some_text),
    Setting("port", "8080", "the port to listen on; 0: any free one", values.number(0, PORT_MOST)),
    Setting("tls_cert", None, "a PEM file: the certificate and those that vouch for it; TLS is "
            "spoken where it is given, with tls_key", values.file),
    Setting("tls_key", None, "a PEM file: the certificate's private key", values.file),
    Setting("forwarded_allow_ips", "", "proxies whose X-Forwarded-For is believed: addresses or "
            "networks, with commas", values.networks),
    Setting("workers", "1", "API processes", values.number(1, WORKERS_MOST)),
    Setting("exporters", "1", "processes that make files", values.number(0, EXPORTERS_MOST)),
    Setting("drain", "0", "how long after SIGTERM requests are still taken, while /readyz says 503",
            values.seconds(0, DRAIN_MOST)),
    Setting("log_level", "info", "what is logged from: debug, info, warning, error",
            values.one_of("debug", "info", "warning", "error")),
)  # fmt: skip


class Given(NamedTuple):
    """The text of a setting as it was given, if it was, and where it comes from."""

    text: str | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting's value (contract, section 7); durations in seconds.

    `given` tells of each setting its text, `{home}` filled in, and where it comes from.
    """

    home: Path
    events: str
    read_dir: Path
    results: str
    source: str
    source_region: str
    source_rate: int
    audit: str
    audit_sinks: tuple[str, ...]
    lease: float
    attempts: int
    sweep_after: float
    download: str
    instances: tuple[str, ...]
    instance_required: bool
    record_addresses: bool
    domain: str
    given_secret_key: bytes | None = field(repr=False)
    host: str
    port: int
    tls_cert: Path | None
    tls_key: Path | None
    forwarded_allow_ips: tuple[str, ...]
    workers: int
    exporters: int
    drain: float
    log_level: str
    given: Mapping[str, Given] = field(repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None, **flags: object) -> Self:
        """Flag before environment before default; a flag that is None was not given.

        Raises:
            SettingsError: an unknown `EXPORT_TASKS_…` variable or flag, or a wrong value.
        """
        environment = os.environ if environment is None else environment
        refuse_unknown(environment)
        _refuse_flags(flags)
        given = {each.name: _given(each, environment, flags) for each in SETTINGS}
        home = given["home"] = _at_home(given["home"])
        found = {"home": _parsed(SETTINGS[0], home)}
        for setting in SETTINGS[1:]:
            given[setting.name] = _filled_in(setting, given[setting.name], found["home"])
            found[setting.name] = _parsed(setting, given[setting.name])
        found["given_secret_key"] = found.pop("secret_key")
        return cls(**found, given=given)

    def secret_key(self) -> bytes:
        """The installation's secret; made in `{home}/secret.key` where it was not given.

        Raises:
            SettingsError: the file cannot be made or read, or is too short; or the event store may
                be shared, and each machine would make a key of its own.
        """
        if self.given_secret_key is None and values.is_shared(self.events):
            raise SettingsError(values.KEY_MUST_BE_GIVEN)
        return self.given_secret_key or kept_secret(self.secret_file)

    @property
    def secret_is_missing(self) -> bool:
        """Was no secret given where one is kept, and none made yet?"""
        given = self.given_secret_key is not None or values.is_shared(self.events)
        return not given and not self.secret_file.exists()

    @property
    def secret_file(self) -> Path:
        """Where the installation's secret is kept, unless it is given."""
        return self.home / KEY_FILE

    @property
    def next_secret_file(self) -> Path:
        """Where the next secret waits until everything is sealed under it."""
        return self.home / NEXT_KEY_FILE

    @property
    def spools(self) -> Path:
        """Where files are written that go to a bucket."""
        return self.home / SPOOLS

    @property
    def side_log(self) -> Path:
        """Where refusals are kept and counted."""
        return self.home / SIDE_LOG

    @property
    def audit_key_file(self) -> Path:
        """Where this node's key for signing checkpoints is kept."""
        return self.home / AUDIT_KEY

    @property
    def audit_state_file(self) -> Path:
        """Where it is told what was signed and delivered last, and what fails."""
        return self.home / AUDIT_STATE

    def environment(self) -> dict[str, str]:
        """This process's environment, changed so that a child reads these very settings."""
        theirs = {k: v for k, v in os.environ.items() if not _is_a_setting(k)}
        ours = {each.variable: self.given[each.name].text for each in SETTINGS}
        return theirs | {k: v for k, v in ours.items() if v is not None}


def refuse_unknown(environment: Mapping[str, str]) -> None:
    """Looks for an `EXPORT_TASKS_…` variable that nobody reads, neither service nor client.

    Raises:
        SettingsError: there is one; the text names it, and the one that was meant.
    """
    of_the_client = {PREFIX + name for name in OF_THE_CLIENT}
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        if not _is_a_setting(variable) and variable not in of_the_client:
            meant = _nearest(variable, [*(each.variable for each in SETTINGS), *of_the_client])
            raise SettingsError(f"{variable} is not a setting of export-tasks{meant}")


def _nearest(variable: str, known: list[str]) -> str:
    """Of names that all begin alike, only what follows tells one from another."""
    from difflib import get_close_matches

    names = [each.removeprefix(PREFIX) for each in known]
    found = get_close_matches(variable.removeprefix(PREFIX), names, 1, LIKENESS)
    return f"; did you mean {PREFIX}{found[0]}?" if found else "."


def _refuse_flags(flags: Mapping[str, object]) -> None:
    unknown = set(flags) - {setting.name for setting in SETTINGS}
    if unknown:
        raise SettingsError(f"'{min(unknown)}' is not a setting of export-tasks.")


def _is_a_setting(variable: str) -> bool:
    return any(
        variable == each.variable or (each.secret and variable == each.file_variable)
        for each in SETTINGS
    )


def _given(setting: Setting, environment: Mapping[str, str], flags: Mapping[str, object]) -> Given:
    flag, text = flags.get(setting.name), environment.get(setting.variable)
    if flag is not None:
        return Given(str(flag), "flag")
    named = environment.get(setting.file_variable) if setting.secret else None
    if text is not None and named is not None:
        raise SettingsError(f"{setting.variable} and {setting.file_variable} are both given.")
    if named is not None:
        return Given(read_secret(setting.file_variable, Path(named)), "environment")
    return Given(setting.default, "default") if text is None else Given(text, "environment")


def _filled_in(setting: Setting, given: Given, home: Path) -> Given:
    if given.text is None or setting.secret:
        return given
    # A file:// address is decoded when it is used; the others are taken as they stand.
    address = "file://" + quote(str(home))
    text = given.text.replace("file:///{home}", address).replace("{home}", str(home))
    return Given(text, given.origin)


def _parsed(setting: Setting, given: Given) -> Any:
    if given.text is None:
        return None
    try:
        return setting.parse(given.text)
    except ValueError as error:
        raise SettingsError(f"{setting.variable}: {error}.") from None


def _at_home(given: Given) -> Given:
    default = str(user_data_path(_APPLICATION, appauthor=False))
    return Given(default, given.origin) if given.text is None else given
