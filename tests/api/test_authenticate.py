"""At the door: who is let in by a signature or a token, and who is not, over real stores."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer import signer

from api.access.authenticate import Identity
from api.access.signatures import NotAuthentic, RawRequest
from api.access.tokens import TOKEN_LIVES, TokenExpired
from domain.refusals import Unavailable
from tests.facts import NOON, OPERATOR
from tests.household import Household

PATH = "/v5/iot/p1/export-tasks"
HOUR = timedelta(hours=1)
SIGNERS: Any = signer


@pytest.fixture
def house(tmp_path):
    house = Household(tmp_path)
    yield house
    house.close()


@pytest.fixture
def ann(house):
    """Given Ann, who has a key and a password."""
    return house.add("Ann", "correct horse")


def signed(key, secret, at=NOON, derived=False, **headers):
    """The request as the official signer would have it sent."""
    sent = {"X-Sdk-Date": at.strftime("%Y%m%dT%H%M%SZ"), **headers}
    request = SdkRequest(
        method="GET",
        host="tasks.example.org",
        resource_path=PATH,
        query_params=[],
        header_params=sent,
        body=b"",
    )
    credentials = BasicCredentials(key, secret, "p1")
    if derived:
        SIGNERS.DerivationAKSKSigner(credentials).sign(request, "iotdm", "cn-north-4")
    else:
        SIGNERS.Signer(credentials).sign(request)
    wire = tuple((k.encode(), v.encode()) for k, v in request.header_params.items())
    return RawRequest("GET", PATH.encode(), b"", wire, b"")


def with_token(*tokens, **headers):
    named = [(k.encode(), v.encode()) for k, v in headers.items()]
    wire = (*((b"X-Auth-Token", token.encode()) for token in tokens), *named)
    return RawRequest("GET", PATH.encode(), b"", wire, b"")


def log_in(house):
    """A token, as the route gives it."""
    user = house.people.check_password("Ann", "correct horse")
    return house.tokens.issue(user.user_id, "p1", user.password_version, NOON).text


def refused(house, request, now=NOON):
    with pytest.raises(NotAuthentic) as refusal:
        house.doorkeeper.authenticate(request, now)
    return refusal.value.reason


NO_MATCH = "the signature does not match the request"


@pytest.mark.parametrize("derived", [False, True], ids=["plain", "derived"])
def test_a_key_lets_its_user_in(house, ann, derived):
    request = signed(ann.access_key, ann.secret_key, derived=derived)
    expected = Identity(ann.user_id, access_key=ann.access_key)
    assert house.doorkeeper.authenticate(request, NOON) == expected


def test_whoever_says_nothing_is_nobody(house):
    reason = refused(house, RawRequest("GET", PATH.encode(), b"", (), b""))
    assert reason == "there is neither Authorization nor X-Auth-Token"


def test_an_unknown_key_and_a_wrong_secret_are_answered_alike(house, ann):
    assert refused(house, signed("K" * 20, ann.secret_key)) == NO_MATCH
    assert refused(house, signed("unknown-key", ann.secret_key)) == NO_MATCH
    assert refused(house, signed(ann.access_key, "wrong")) == NO_MATCH


def test_one_users_secret_does_not_go_with_anothers_key(house, ann):
    ben = house.add("Ben")
    assert refused(house, signed(ben.access_key, ann.secret_key)) == NO_MATCH


def test_a_revoked_key_lets_nobody_in_at_once(house, ann):
    request = signed(ann.access_key, ann.secret_key)
    house.doorkeeper.authenticate(request, NOON)
    house.people.revoke_key(ann.access_key, OPERATOR)
    assert refused(house, request) == NO_MATCH


def test_a_key_revoked_between_two_looks_lets_nobody_in(house, ann):
    house.vault.drop_secret(ann.access_key)
    assert refused(house, signed(ann.access_key, ann.secret_key)) == NO_MATCH


def test_a_removed_user_is_not_let_in(house, ann):
    request, token = signed(ann.access_key, ann.secret_key), with_token(log_in(house))
    house.doorkeeper.authenticate(request, NOON)
    house.doorkeeper.authenticate(token, NOON)
    house.people.remove_user("Ann", OPERATOR)
    assert refused(house, request) == NO_MATCH
    assert "the token is void" in refused(house, token)


def test_a_key_whose_append_never_came_lets_nobody_in(house, ann):
    house.register.add_key = lambda *args: None
    key = house.people.add_key("Ann", None, OPERATOR)
    assert refused(house, signed(key.access_key, key.secret_key)) == NO_MATCH


def test_a_temporary_key_lets_in_with_its_token_until_it_expires(house, ann):
    key = house.people.add_key("Ann", HOUR, OPERATOR)
    token = {"X-Security-Token": key.security_token}
    last = NOON + HOUR - timedelta(seconds=1)
    for at in (NOON, last):
        request = signed(key.access_key, key.secret_key, at, **token)
        assert house.doorkeeper.authenticate(request, at).access_key == key.access_key
    expired = signed(key.access_key, key.secret_key, NOON + HOUR, **token)
    assert refused(house, expired, NOON + HOUR) == "the access key has expired"


def test_a_temporary_key_does_not_go_without_its_own_token(house, ann):
    key = house.people.add_key("Ann", HOUR, OPERATOR)
    other = house.people.add_key("Ann", HOUR, OPERATOR)
    bare = signed(key.access_key, key.secret_key)
    assert "X-Security-Token is missing" in refused(house, bare)
    for wrong in ("x", other.security_token, key.security_token + "x"):
        request = signed(key.access_key, key.secret_key, **{"X-Security-Token": wrong})
        assert "X-Security-Token is not the one" in refused(house, request)


def test_a_token_lets_its_user_in_to_its_project(house, ann):
    request = with_token(log_in(house))
    assert house.doorkeeper.authenticate(request, NOON) == Identity(ann.user_id, project_id="p1")


def test_a_token_lets_nobody_in_after_a_day(house, ann):
    request = with_token(log_in(house))
    house.doorkeeper.authenticate(request, NOON + TOKEN_LIVES - timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        house.doorkeeper.authenticate(request, NOON + TOKEN_LIVES)


def test_another_password_voids_the_tokens_before(house, ann):
    request = with_token(log_in(house))
    house.people.set_password("Ann", "correct horse", OPERATOR)
    assert "the token is void" in refused(house, request)
    house.doorkeeper.authenticate(with_token(log_in(house)), NOON)


def test_a_token_for_a_password_that_was_changed_meanwhile_is_void(house, ann):
    user = house.people.check_password("Ann", "correct horse")
    house.people.set_password("Ann", "another password", OPERATOR)
    token = house.tokens.issue(user.user_id, "p1", user.password_version, NOON).text
    assert "the token is void" in refused(house, with_token(token))


@pytest.mark.parametrize("token", ["", " ", "token", "é", "a.b.c", "x" * 5000])
def test_what_is_no_token_lets_nobody_in(house, ann, token):
    assert refused(house, with_token(token)).startswith("the token ")


def test_a_token_given_twice_lets_nobody_in(house, ann):
    token = log_in(house)
    assert refused(house, with_token(token, token)) == "X-Auth-Token is given more than once"


def test_a_signature_goes_before_a_token(house, ann):
    good = signed(ann.access_key, ann.secret_key)
    both = RawRequest("GET", good.path, b"", (*good.headers, (b"x-auth-token", b"no")), b"")
    assert house.doorkeeper.authenticate(both, NOON).access_key == ann.access_key
    wrong = signed(ann.access_key, "wrong")
    token = (b"x-auth-token", log_in(house).encode())
    refused(house, RawRequest("GET", wrong.path, b"", (*wrong.headers, token), b""))


def test_without_the_store_nobody_is_let_in_and_nobody_blamed(house, ann):
    request = signed(ann.access_key, ann.secret_key)
    house.close()
    (house.folder / "events.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(Unavailable):
        house.doorkeeper.authenticate(request, NOON)
