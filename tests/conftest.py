"""Every test starts from an environment that holds no settings or credentials of the machine."""

from __future__ import annotations

import os
import signal
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.object_store import ObjectStore
from tests.places import BucketFolder, Folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.database import Database
    from tests.places import Place

SETTINGS = ("EXPORT_TASKS_", "AWS_", "HUAWEICLOUD_", "HUAWEICLOUDSDK_")

# For a night's fuzzing: ./scripts/test tests/api/test_signatures.py --hypothesis-profile fuzz
settings.register_profile(
    "fuzz",
    max_examples=20_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)

# How long an example takes says how busy the machine is, and nothing of what is tested. In CI the
# same examples are tried each time: what fails there is the change, not a new example.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("any machine")

# A run in the background may have been started deaf to Ctrl-C, and what it starts would be too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own EXPORT_TASKS_HOME; not made yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("EXPORT_TASKS_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """A PostgreSQL server for all tests of this process; each makes a schema of its own in it."""
    from tests.database import QUICK, running_database

    with running_database(**QUICK) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def events_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an event store that is not made yet; a test that uses it runs over each."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/events.sqlite"
    database: Database = request.getfixturevalue("database")
    return database.fresh()


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An S3 server for all tests of this process, with the bucket `results`."""
    with ObjectStore(tmp_path_factory.mktemp("object-store")) as store:
        store.make_bucket("results")
        yield store


@pytest.fixture
def bucket_url(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of its own in a bucket, and the environment that leads there."""
    for name, value in object_store.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://results/tests/{token_hex(8)}"


@pytest.fixture(scope="session")
def _fragile_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with ObjectStore(tmp_path_factory.mktemp("fragile-store")) as store:
        store.make_bucket("results")
        yield store


@pytest.fixture
def own_store(
    _fragile_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectStore]:
    """An S3 server that the test may pause and kill, and the environment that leads there."""
    for name, value in _fragile_store.environment().items():
        monkeypatch.setenv(name, value)
    yield _fragile_store
    if _fragile_store.pid:
        _fragile_store.resume()
    else:
        _fragile_store.start()


@pytest.fixture
def own_url(own_store: ObjectStore) -> str:
    """A folder of its own in it."""
    return f"s3://results/tests/{token_hex(8)}"


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place of results of each kind, with nothing in it."""
    if request.param == "folder":
        return Folder(tmp_path / "results")
    return BucketFolder(request.getfixturevalue("bucket_url"))
