"""People: users by name, over the log that says who may do what and the vault that knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from secrets import choice, token_hex, token_urlsafe
from string import ascii_letters, ascii_uppercase, digits
from typing import TYPE_CHECKING

from api.access.passwords import hash_password, is_right
from api.access.signatures import Unproven
from api.access.vault import Secret
from domain.access import rules
from domain.commands import check
from domain.refusals import AlreadyThere, Invalid, NotThere

if TYPE_CHECKING:
    from api.access.removal import Removal
    from api.access.vault import Vault
    from domain.access.register import Register
    from domain.fact import Caller
    from projections.queries import Queries
    from projections.rows import MemberRow, UserRow

KEY_LIVES_AT_LEAST = timedelta(seconds=1)
KEY_LIVES_AT_MOST = timedelta(days=365)
SECRETS_CACHED = 10_000

_ACCESS_KEY_LENGTH = 20
_SECRET_KEY_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Credentials:
    """A new key, told once. Temporary keys have a security token and an end."""

    user_id: str
    access_key: str
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A user with its name (None: the vault does not know it) and what it may do where."""

    user_id: str
    name: str | None
    added_at: datetime
    memberships: list[MemberRow]


class People:
    """What operators do to users, and what the API asks about them.

    Vault and log are two stores' worth of writes, so each command goes in an order that a crash
    may cut anywhere: the vault is filled before the log says that somebody is there, and emptied
    after the log says that nobody is. What stands in the vault alone grants nothing, and the same
    command given again begins or ends the work anew.

    Every method may raise `Unavailable`; those that name a user, `NotThere`.
    """

    def __init__(
        self, register: Register, vault: Vault, queries: Queries, removal: Removal
    ) -> None:
        self.register = register
        self.vault = vault
        self.queries = queries
        self.removal = removal
        self._cached_secret = lru_cache(SECRETS_CACHED)(vault.secret_of)

    # Operators

    def add_user(
        self,
        name: str,
        project_id: str,
        admin: bool,
        policy: str | None,
        password: str | None,
        caller: Caller,
        user_id: str | None = None,
    ) -> Credentials:
        """Adds a user with rights in a project, a first key and perhaps a password.

        An id is drawn, unless one is given that nobody has had yet.

        Everything is decided by one append to the log, after the vault is filled. A crash before
        it leaves a name whose id is no user's: the next `add_user` uses that id up, so that a
        slower twin of this command fails, and takes the name over with an id of its own. A crash
        after it leaves a complete user whose key nobody has seen: add another.

        Raises:
            AlreadyThere: the name, or the id, is a user's.
            NotThere: the project does not exist.
            Invalid: a field breaks its rule.
        """
        rules.check_name(name)
        hashed = None if password is None else hash_password(password)
        user_id = user_id or token_hex(16)
        self._claim_name(user_id, name, caller)
        try:
            if hashed is not None:
                self.vault.keep_password(user_id, hashed)
            access_key, secret = self._keep_key(user_id, None)
        except NotThere:  # a twin of this command has taken the name over
            raise _taken(name) from None
        try:
            self.register.add_user(
                user_id,
                project_id,
                admin,
                policy,
                caller,
                access_key=access_key,
                password=hashed is not None,
            )
        except (NotThere, Invalid):
            self.vault.forget(user_id)
            raise
        except AlreadyThere:
            raise _taken(name) from None
        return Credentials(user_id, access_key, secret.secret_key)

    def grant(
        self, name: str, project_id: str, admin: bool, policy: str | None, caller: Caller
    ) -> None:
        """Says what a user may do in a project, to which it belongs from here on.

        Raises:
            NotThere: the user or the project does not exist.
            Invalid: the policy breaks its rule.
        """
        self.register.grant(self.user_id_of(name), project_id, admin, policy, caller)

    def withdraw(self, name: str, project_id: str, caller: Caller) -> None:
        """Lets a user do nothing in a project any more; its tasks stay, for when it comes back.

        Raises:
            NotThere: the user does not belong to the project.
        """
        self.register.withdraw(self.membership(name, project_id).user_id, project_id, caller)

    def set_password(self, name: str, password: str, caller: Caller) -> None:
        """Gives a user another password; tokens issued for the earlier one are void.

        First the password, then the event that voids: a token for the old one that is issued in
        between is void too. After a crash in between, old tokens live until the command is given
        again.

        Raises:
            Invalid: the password is too short or too long.
        """
        hashed, user_id = hash_password(password), self.user_id_of(name)
        self.vault.keep_password(user_id, hashed)
        self.register.set_password(user_id, caller)

    def add_key(self, name: str, expires: timedelta | None, caller: Caller) -> Credentials:
        """Gives a user an access key more, a temporary one where it expires after some time.

        After a crash in between, the vault holds a secret of a key that is nobody's.

        Raises:
            Invalid: too short or too long a time.
        """
        if expires is not None:
            lives = KEY_LIVES_AT_LEAST <= expires <= KEY_LIVES_AT_MOST
            check("expires", lives, f"must be 1 second to {KEY_LIVES_AT_MOST.days} days")
        user_id = self.user_id_of(name)
        until = None if expires is None else self.register.journal.clock() + expires
        access_key, secret = self._keep_key(user_id, until)
        self.register.add_key(user_id, access_key, until is not None, until, caller)
        return Credentials(user_id, access_key, secret.secret_key, secret.security_token, until)

    def revoke_key(self, access_key: str, caller: Caller) -> None:
        """Takes an access key from whoever has it; then forgets its secret.

        Raises:
            NotThere: it is nobody's.
        """
        key = self.queries.key(access_key)
        if key:
            self.register.revoke_key(key.user_id, access_key, caller)
        if not (self.vault.drop_secret(access_key) or key):
            raise NotThere(f"The access key '{access_key}'")

    def remove_user(self, name: str, caller: Caller) -> None:
        """Removes a user with all rights, keys, tasks and files; then forgets who it was.

        The name goes last: until then the command can be given again, and ends the work.
        """
        user_id = self.vault.user_id_of(name)
        if user_id is None:
            raise _unknown(name)
        try:
            self.removal.remove(user_id, caller)
        except NotThere:
            raise _unknown(name) from None

    def list_users(self) -> list[Person]:
        """All users, by name."""
        names = self.vault.names()
        people = [
            Person(
                user.user_id,
                names.get(user.user_id),
                user.added_at,
                self.queries.memberships(user_id=user.user_id),
            )
            for user in self.queries.users()
        ]
        return sorted(people, key=lambda person: (person.name or "").casefold())

    # Everybody

    def name_of(self, user_id: str) -> str | None:
        """A user's name; None once the user is forgotten."""
        return self.vault.name_of(user_id)

    def user_id_of(self, name: str) -> str:
        """The id of the user with this name, in whatever case."""
        user_id = self.vault.user_id_of(name)
        if user_id is None or self.queries.user(user_id) is None:
            raise _unknown(name)
        return user_id

    def membership(self, name: str, project_id: str) -> MemberRow:
        """What a user may do in a project.

        Raises:
            NotThere: it does not belong to it.
        """
        member = self.queries.member(project_id, self.user_id_of(name))
        if member is None:
            raise NotThere(f"The user '{name}' in the project '{project_id}'")
        return member

    def secret_of(self, access_key: str) -> Secret:
        """What an access key is used with. Whether it still is one, only `queries` can say.

        Raises:
            NotThere: the key is not known.
        """
        return self._cached_secret(access_key)

    def check_password(self, name: str, password: str) -> UserRow:
        """The user whose name and password these are, as it stood before they were compared.

        So a token issued for this row is void where the password is changed meanwhile. Unknown
        names take as long as known ones.

        Raises:
            Unproven: they are nobody's.
        """
        user_id = self.vault.user_id_of(name)
        user = self.queries.user(user_id) if user_id else None
        hashed = self.vault.password_hash(user.user_id) if user else None
        if not is_right(password, hashed) or user is None:
            user_id = user.user_id if user else None
            raise Unproven("the user name or the password is wrong", user_id=user_id)
        return user

    def _claim_name(self, user_id: str, name: str, caller: Caller) -> None:
        holder = self.vault.user_id_of(name)
        if holder:
            self._take_over(holder, name, caller)
        self.vault.claim_name(user_id, name)

    def _take_over(self, holder: str, name: str, caller: Caller) -> None:
        """Frees a name that a command which never ended has left behind."""
        try:
            projects = self.register.use_up(holder, caller)
        except AlreadyThere:
            raise _taken(name) from None
        self.removal.forget(holder, projects, caller)

    def _keep_key(self, user_id: str, until: datetime | None) -> tuple[str, Secret]:
        access_key = _draw(ascii_uppercase + digits, _ACCESS_KEY_LENGTH)
        secret_key = _draw(ascii_letters + digits, _SECRET_KEY_LENGTH)
        secret = Secret(secret_key, None if until is None else token_urlsafe())
        self.vault.keep_secret(access_key, user_id, secret)
        return access_key, secret


def _draw(alphabet: str, length: int) -> str:
    return "".join(choice(alphabet) for _ in range(length))


def _taken(name: str) -> AlreadyThere:
    return AlreadyThere(f"The user '{name}'")


def _unknown(name: str) -> NotThere:
    return NotThere(f"The user '{name}'")
