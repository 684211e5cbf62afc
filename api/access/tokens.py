"""Tokens: what a password is exchanged for, as the cloud's identity service does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from msgspec import Meta, Struct, convert, to_builtins

from api.access.sealing import derive
from api.access.signatures import NotAuthentic

TOKEN_LIVES = timedelta(hours=24)
SESSION_LIVES = timedelta(hours=12)
"""How long somebody stays signed in to the console, at most."""

TOKEN_LIMIT = 2048
"""The longest token that is read, in characters."""

_ALGORITHM = "HS256"

Moment = Annotated[int, Meta(ge=0)]
"""Unix seconds."""


class TokenExpired(NotAuthentic):
    """The token was good once; `expired_at` says until when."""

    def __init__(self, expired_at: datetime) -> None:
        super().__init__(f"the token expired at {shown(expired_at)}")
        self.expired_at = expired_at


class TokenClaims(
    Struct,
    frozen=True,
    rename={"user_id": "sub", "password_version": "pwv", "issuer": "iss"}
    | {"issued_at": "iat", "expires_at": "exp"},
):
    """What a token says: who, in which project, since which password."""

    user_id: str
    project_id: str
    password_version: int
    issuer: str
    issued_at: Moment
    expires_at: Moment


@dataclass(frozen=True, slots=True)
class Token:
    """A token for `X-Subject-Token`, and how long it is good."""

    text: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime


class Tokens:
    """Issues and reads tokens, signed under a key derived from the installation's secret key.

    `issuer` is the installation's domain. Nothing is stored: whether the user is still there and
    has the same password is asked of the log with every request.
    """

    def __init__(
        self,
        secret_key: bytes,
        issuer: str,
        *,
        purpose: str = "tokens",
        lives: timedelta = TOKEN_LIVES,
    ) -> None:
        """`purpose` names a key of its own: what is issued for one is nothing for another."""
        self._key = OctKey.import_key(derive(secret_key, purpose))
        self.issuer, self._lives = issuer, lives

    def issue(self, user_id: str, project_id: str, password_version: int, now: datetime) -> Token:
        """A token for a user in a project, good for so long (by default 24 hours)."""
        issued, expires = int(now.timestamp()), int((now + self._lives).timestamp())
        claims = TokenClaims(user_id, project_id, password_version, self.issuer, issued, expires)
        text = jwt.encode({"alg": _ALGORITHM}, to_builtins(claims), self._key, [_ALGORITHM])
        return Token(text, _moment(issued), _moment(expires))

    def read(self, token: str, now: datetime) -> TokenClaims:
        """What a token says, if it was issued here and is still good.

        Raises:
            NotAuthentic: it was not issued here.
            TokenExpired: it is older than that.
        """
        claims = self.issued(token)
        if claims.expires_at <= now.timestamp():
            raise TokenExpired(_moment(claims.expires_at))
        return claims

    def issued(self, token: str) -> TokenClaims:
        """What a token says, whether or not it is still good: no clock is asked.

        Raises:
            NotAuthentic: it was not issued here.
        """
        if len(token) > TOKEN_LIMIT:
            raise NotAuthentic(f"the token is longer than {TOKEN_LIMIT} characters")
        try:
            claims = convert(jwt.decode(token, self._key, [_ALGORITHM]).claims, TokenClaims)
        except (JoseError, TypeError, ValueError):  # joserfc trusts the type of `crit`
            raise NotAuthentic("the token was not issued here") from None
        if claims.issuer != self.issuer:
            raise NotAuthentic("the token is of another domain")
        return claims


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def shown(moment: datetime) -> str:
    """A time as the cloud's identity service writes it, in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
