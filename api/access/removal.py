"""Removal: how a user goes, and goes again where a restore brought it back."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from api.access.erasures import Erasure
from domain.conditions import OwnerId
from domain.refusals import NotThere

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.access.erasures import Erasures
    from api.access.vault import Vault
    from domain.access.register import Register
    from domain.fact import Caller
    from domain.ledger import Ledger


class Removal:
    """Takes a user out of the log, then out of the vault, where the name goes last.

    Before the vault forgets, the id stands on the list of erasures, on the disk. Until then the
    same can be done again, and ends the work. Every method may raise `Unavailable` and `OSError`.
    """

    def __init__(
        self, register: Register, ledger: Ledger, vault: Vault, erasures: Erasures
    ) -> None:
        self._register = register
        self._ledger = ledger
        self._vault = vault
        self._erasures = erasures

    def remove(self, user_id: str, caller: Caller) -> None:
        """Removes a user with all rights, keys, tasks and files; then forgets who it was.

        Raises:
            NotThere: the id never was a user's.
        """
        self.forget(user_id, self._register.remove_user(user_id, caller), caller)

    def forget(self, user_id: str, projects: list[str], caller: Caller) -> None:
        """What is left to do of one who is no user, and belonged to these projects."""
        self._close(user_id, projects, caller)
        self._erasures.add([Erasure(user_id, self._register.journal.clock())])
        self._vault.forget(user_id)

    def again(self, erasures: Iterable[Erasure], caller: Caller) -> list[str]:
        """Removes whoever is on a list and here all the same; says whom. The list is kept."""
        erased = {each.user_id: each for each in erasures}
        self._erasures.add(erased.values())
        return [user_id for user_id in erased if self._was_here(user_id, caller)]

    def _was_here(self, user_id: str, caller: Caller) -> bool:
        known = self._vault.name_of(user_id) is not None
        with suppress(NotThere):  # added after what is restored, but for its name perhaps
            self._close(user_id, self._register.remove_user(user_id, caller), caller)
        self._vault.forget(user_id)
        return known

    def _close(self, user_id: str, projects: list[str], caller: Caller) -> None:
        for project_id in projects:
            self._ledger.close(OwnerId(project_id, user_id), caller)
