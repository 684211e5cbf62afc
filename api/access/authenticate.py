"""Authenticate: who sent a request, by its signature or by its token (contract, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from api.access.signatures import NotAuthentic, Unproven, read, scheme
from api.access.vault import Secret
from domain.refusals import NotThere

if TYPE_CHECKING:
    from datetime import datetime

    from api.access.people import People
    from api.access.signatures import RawRequest, Signed
    from api.access.tokens import TokenClaims, Tokens
    from projections.queries import Queries
    from projections.rows import KeyRow


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks; by which key, or within which one project, as the token says."""

    user_id: str
    access_key: str | None = None
    project_id: str | None = None


class Doorkeeper:
    """Knows people by what they send; asks the log each time whether they still are who they are.

    An access key that is not known costs what a known one does and gets the same answer as a wrong
    signature, so that nobody learns which keys there are.
    """

    def __init__(self, people: People, tokens: Tokens, queries: Queries) -> None:
        self._people = people
        self._tokens = tokens
        self._queries = queries
        self._nobodys = Secret(token_urlsafe(), None)

    def authenticate(self, request: RawRequest, now: datetime) -> Identity:
        """Who sent this request.

        Raises:
            NotAuthentic: it does not say, or (Unproven) does not prove it; or (TokenExpired) not
                any more.
            Unavailable: the store does not answer.
        """
        match scheme(request):
            case "signature":
                return self._by_signature(request, now)
            case "token":
                return self._by_token(request, now)
        raise NotAuthentic("there is neither Authorization nor X-Auth-Token")

    def _by_signature(self, request: RawRequest, now: datetime) -> Identity:
        signed = read(request, now)
        key = self._queries.key(signed.access_key)
        try:
            return self._proven(signed, key, now)
        except NotAuthentic as error:
            raise Unproven(
                error.reason,
                claimed=signed.access_key,
                user_id=key.user_id if key else None,
                access_key=key.access_key if key else None,
            ) from None

    def _proven(self, signed: Signed, key: KeyRow | None, now: datetime) -> Identity:
        secret = self._secret(key)
        signed.check(secret.secret_key)
        if key is None or (key.expires is not None and key.expires <= now):
            raise NotAuthentic("the access key has expired")
        if secret.security_token is not None:
            _compare(signed.security_token, secret.security_token)
        return Identity(key.user_id, access_key=key.access_key)

    def _by_token(self, request: RawRequest, now: datetime) -> Identity:
        return self.vouch(self._tokens.read(_token(request), now))

    def vouch(self, claims: TokenClaims) -> Identity:
        """Who it is that a token was issued to.

        Raises:
            Unproven: another password was set since, or the user removed.
        """
        user = self._queries.user(claims.user_id)
        if user is None or user.password_version != claims.password_version:
            reason = "the token is void: another password was set or the user removed"
            raise Unproven(reason, user_id=user.user_id if user else None)
        return Identity(claims.user_id, project_id=claims.project_id)

    def _secret(self, key: KeyRow | None) -> Secret:
        if key is None:
            return self._nobodys
        try:
            return self._people.secret_of(key.access_key)
        except NotThere:  # revoked since it was asked for
            return self._nobodys


def _compare(sent: str | None, wanted: str) -> None:
    if sent is None:
        raise NotAuthentic("X-Security-Token is missing: the access key is a temporary one")
    if not compare_digest(sent, wanted):
        raise NotAuthentic("X-Security-Token is not the one of the access key")


def _token(request: RawRequest) -> str:
    tokens = [value for name, value in request.headers if name.lower() == b"x-auth-token"]
    if len(tokens) != 1:
        raise NotAuthentic("X-Auth-Token is given more than once")
    return tokens[0].strip().decode("latin-1")
