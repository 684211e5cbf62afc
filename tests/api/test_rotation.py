"""Another secret key: what was sealed opens under it alone; no cut in the work loses anything."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.access.authenticate import Doorkeeper
from api.access.rotation import KeyInTheWay, rotate
from api.access.sealing import CannotUnseal
from api.access.tokens import Tokens
from api.access.vault import Vault
from api.parts import Parts, WrongSecretKey
from api.settings import Settings
from projections.log import open_log
from tests.facts import OPERATOR

PASSWORD, OTHER_KEY = "correct horse", "another secret key, long enough!"
ADDRESS = "192.0.2.7"


class Cut(BaseException):
    """The process ends here."""


@pytest.fixture
def settings(tmp_path):
    return Settings.read({}, home=tmp_path)


@pytest.fixture
def filled(settings):
    """An installation with Ann: her key, and her address as an event holds it."""
    with Parts(settings) as parts:
        parts.register.add_project("p1", "p1", "0", None, OPERATOR)
        ann = parts.people.add_user("Ann", "p1", True, None, PASSWORD, OPERATOR)
        return ann, parts.people.vault.seal_address(ann.user_id, ADDRESS)


def check(settings, filled):
    """Everything of Ann's works under the key in force."""
    ann, sealed = filled
    with Parts(settings) as parts:
        people = parts.people
        assert people.name_of(ann.user_id) == "Ann"
        assert people.user_id_of("ANN") == ann.user_id
        assert people.secret_of(ann.access_key).secret_key == ann.secret_key
        assert people.check_password("Ann", PASSWORD).user_id == ann.user_id
        assert people.vault.unseal_address(ann.user_id, sealed) == ADDRESS


def stored(folder):
    return b"".join(each.read_bytes() for each in folder.glob("events.sqlite*") if each.is_file())


def test_everything_is_sealed_anew_under_a_key_that_takes_the_old_ones_place(
    settings, filled, tmp_path
):
    old = settings.secret_key()
    with Parts(settings) as parts, parts.vault.writing() as cursor:
        cursor.execute("SELECT person_key FROM people UNION SELECT secret FROM secrets")
        sealed = [row[0] for row in cursor.fetchall()]
    assert rotate(settings) == settings.secret_file
    assert settings.secret_key() != old
    assert settings.secret_file.stat().st_mode & 0o777 == 0o600
    assert not settings.next_secret_file.exists()
    check(settings, filled)
    assert len(sealed) == 2
    assert not [each for each in sealed if each in stored(tmp_path)]
    with closing(open_log(settings.events)) as log, pytest.raises(CannotUnseal):
        Vault(log, old)


def test_again_and_again(settings, filled):
    keys = set()
    for _ in range(3):
        rotate(settings)
        keys.add(settings.secret_key())
        check(settings, filled)
    assert len(keys) == 3


def test_tokens_of_the_old_key_are_void(settings, filled):
    now = datetime.now(UTC)
    token = Tokens(settings.secret_key(), "default").issue(filled[0].user_id, "p1", 1, now)
    rotate(settings)
    with Parts(settings) as parts:
        tokens = Tokens(settings.secret_key(), "default")
        assert Doorkeeper(parts.people, tokens, parts.queries)
        with pytest.raises(Exception, match="the token was not issued here"):
            tokens.read(token.text, now)


@contextmanager
def cut(monkeypatch, place, *, after):
    """Ends the process at a step of the work, before or after it."""
    owner, name = place
    step = getattr(owner, name)

    def cutting(self, *arguments):
        if not after:
            raise Cut
        step(self, *arguments)
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, cutting)
        with pytest.raises(Cut):
            yield


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", [(Vault, "reseal"), (Path, "replace")], ids=["reseal", "replace"])
def test_cut_off_anywhere_the_same_call_ends_the_work(settings, filled, monkeypatch, place, after):
    old = settings.secret_key()
    with cut(monkeypatch, place, after=after):
        rotate(settings)
    sealed_anew = (place, after) != ((Vault, "reseal"), False)
    done = (place, after) == ((Path, "replace"), True)
    if sealed_anew and not done:
        with pytest.raises(WrongSecretKey, match="was begun and not ended: export-tasks secret"):
            check(settings, filled)
    rotate(settings)
    assert settings.secret_key() != old
    check(settings, filled)


def test_a_transaction_that_is_cut_off_leaves_all_as_it_was(settings, filled, monkeypatch):
    with Parts(settings) as parts:
        unseal = parts.vault._sealer._master.unseal

        def cutting(sealed, place):
            if place.startswith("passwords"):
                raise Cut
            return unseal(sealed, place)

        monkeypatch.setattr(parts.vault._sealer._master, "unseal", cutting)
        with pytest.raises(Cut):
            parts.vault.reseal(OTHER_KEY.encode())
    check(settings, filled)


def test_a_key_that_a_setting_gives_is_followed_by_one_in_a_file(tmp_path, events_url):
    places = {"home": tmp_path, "events": events_url}
    given = Settings.read({}, secret_key=OTHER_KEY, **places)
    with Parts(given) as parts:
        parts.register.add_project("p1", "p1", "0", None, OPERATOR)
        ann = parts.people.add_user("Ann", "p1", True, None, PASSWORD, OPERATOR)
        filled = ann, parts.people.vault.seal_address(ann.user_id, ADDRESS)
    file = rotate(given)
    assert rotate(given) == file == tmp_path / "secret.key.next"
    following = Settings.read({"EXPORT_TASKS_SECRET_KEY_FILE": str(file)}, **places)
    check(following, filled)
    with pytest.raises(WrongSecretKey):
        check(given, filled)
    with pytest.raises(KeyInTheWay, match="move it elsewhere first"):
        rotate(following)
    moved = file.rename(tmp_path / "kept")
    last = Settings.read({"EXPORT_TASKS_SECRET_KEY_FILE": str(moved)}, **places)
    check(Settings.read({}, secret_key=rotate(last).read_text(), **places), filled)


def test_an_installation_without_anybody_gets_another_key_all_the_same(settings):
    with Parts(settings) as parts:
        assert parts.vault.names() == {}
    old = settings.secret_key()
    rotate(settings)
    assert settings.secret_key() != old


def test_a_key_that_is_not_the_vaults_changes_nothing(settings, filled, tmp_path):
    kept = settings.secret_file.read_text()
    settings.secret_file.write_text(OTHER_KEY)
    before = stored(tmp_path)
    with pytest.raises(WrongSecretKey):
        rotate(settings)
    settings.secret_file.write_text(kept)
    assert stored(tmp_path) == before
    check(settings, filled)
