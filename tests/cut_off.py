"""A process that is killed at its n-th call to the disk, as by `kill -9`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.parts import Parts
from api.settings import Settings
from api.upkeep.backup import back_up
from api.upkeep.migrate import migrate
from api.upkeep.restore import restore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CALLS = {
    "open",
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "shutil.rmtree",
    "sqlite3.connect",
}
"""What Python tells an audit hook of; calls that only read are among them."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


def is_cut_off(
    number: int, work: Callable[..., object], environment: Mapping[str, str], folder: Path
) -> bool:
    """Does the work in a process that is killed right before its n-th call around `folder`.

    False where it ended before there were so many.
    """
    return _ended(number, work, environment, folder)[0] != 0


def calls_of(work: Callable[..., object], environment: Mapping[str, str], folder: Path) -> int:
    """How many such calls the work makes; it is done."""
    return _ended(0, work, environment, folder)[1]


def backing_up(environment: Mapping[str, str], folder: str) -> None:
    """`backup FOLDER --with-secret-key`."""
    with Parts(Settings.read(environment)) as parts:
        back_up(parts, Path(folder), with_secret_key=True, tell=len)


def restoring(environment: Mapping[str, str], folder: str) -> None:
    """`restore FOLDER`."""
    restore(Settings.read(environment), Path(folder), tell=len)


def migrating(environment: Mapping[str, str], folder: str) -> None:
    """`migrate --to` what `TO` is, with the results to the folder."""
    settings = Settings.read({k: v for k, v in environment.items() if k != "TO"})
    results = f"file://{folder}"
    migrate(settings, environment["TO"], results, tell=len, advance=lambda _, __: None)


def _ended(
    number: int, work: Callable[..., object], environment: Mapping[str, str], folder: Path
) -> tuple[int, int]:
    calls = _FORKS.Value("i", 0, lock=False)
    arguments = (number, work, dict(environment), str(folder), calls)
    process = _FORKS.Process(target=_run, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode, calls.value


def _run(
    number: int,
    work: Callable[..., object],
    environment: Mapping[str, str],
    folder: str,
    calls: Any,
) -> None:
    within = str(Path(folder).parent)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in CALLS and within in str(arguments[0]):
            calls.value += 1
            if calls.value == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    work(environment, folder)
