"""Rotation: another secret key for an installation, in steps that may be cut off anywhere."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from api.access.sealing import CannotUnseal
from api.access.vault import Vault
from api.parts import Parts
from api.secret_files import kept_secret
from domain.refusals import Refusal
from exporter.disk import sync
from projections.log import open_log

if TYPE_CHECKING:
    from pathlib import Path

    from api.settings import Settings


class KeyInTheWay(Refusal):
    """The file for the next key holds the one in force."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"The secret key in force stands in {path}: move it elsewhere first.")


def rotate(settings: Settings) -> Path:
    """Seals the vault under another secret key, and says in which file that is.

    The key is made first, durably, in a file of its own; then everything is sealed under it in one
    transaction; then the file takes the old one's place, unless the old key was given by a
    setting: then it stays where it is, for the setting to name. Cut off in between, the same call
    ends the work. Nobody else may use the vault meanwhile.

    Raises:
        KeyInTheWay: the key in force is given by a setting, and stands where the next one is made.
        WrongSecretKey: neither the old key nor the new one opens the vault.
        SettingsError: a key's file cannot be made or read.
        Unavailable, CannotOpen: the store cannot be used.
    """
    following = settings.next_secret_file
    secret_key = kept_secret(following)
    if settings.given_secret_key == secret_key:
        raise KeyInTheWay(following)
    if not _opens(settings.events, secret_key):
        with Parts(settings) as parts:
            parts.vault.reseal(secret_key)
    if settings.given_secret_key is not None:
        return following
    following.replace(settings.secret_file)
    sync(settings.home)
    return settings.secret_file


def _opens(url: str, secret_key: bytes) -> bool:
    """Is there anything in the vault, and is it sealed under this key?"""
    with closing(open_log(url)) as log:
        try:
            return bool(Vault(log, secret_key).names())
        except CannotUnseal:
            return False
