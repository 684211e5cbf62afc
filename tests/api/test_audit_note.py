"""Signed notes and checkpoints: C2SP's formats, byte for byte."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from api.audit.note import (
    LONGEST,
    Checkpoint,
    NodeKey,
    NotANote,
    NotSigned,
    Verifier,
    incarnation_of,
    origin_of,
    read_note,
    verified,
)

KEY, OTHER = NodeKey(bytes(range(32))), NodeKey(bytes(32))
INCARNATION = "00112233445566778899aabbccddeeff"
ROOT = sha256(b"root").digest()
CHECKPOINT = Checkpoint(f"export-tasks/{INCARNATION}", 20852163, ROOT)

VERIFIER = "export-tasks.56475aa7+0da7d9e9+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
NOTE = """\
export-tasks/00112233445566778899aabbccddeeff
20852163
SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=

— export-tasks.56475aa7 DafZ6REy3O7HC0n70P4KNVJoofdUm4YsG7nGnxkmxDx/27O8GXLfr9ySI9gwGTvrz8sroIdn1or3xspGc8ASS+5Gtg8=
"""  # noqa: E501 (a signature cannot be broken)
"""What the key of the bytes 0 to 31 makes of the checkpoint; Ed25519 signs alike every time."""

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""  # noqa: E501
"""The example of Go's own package for signed notes."""


def text_of(note: str) -> str:
    return note.rpartition("\n\n")[0] + "\n"


def cosigned(*keys: NodeKey) -> str:
    lines = [key.sign(CHECKPOINT).splitlines()[-1] for key in keys]
    return CHECKPOINT.text() + "\n" + "".join(f"{line}\n" for line in lines)


def refused(note: str, *verifiers: Verifier, by=NotANote) -> str:
    with pytest.raises(by) as refusal:
        read_note(note, verifiers or (KEY.verifier,))
    return str(refusal.value)


def test_a_signed_checkpoint_is_these_bytes_for_ever():
    assert KEY.sign(CHECKPOINT) == NOTE
    assert KEY.verifier.text == VERIFIER
    assert read_note(NOTE, [Verifier.read(VERIFIER)]) == CHECKPOINT


def test_a_note_is_what_the_definition_says_computed_without_us():
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = private.public_key().public_bytes_raw()
    name = "export-tasks." + sha256(public).hexdigest()[:8]
    key_id = sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    text = f"export-tasks/{INCARNATION}\n20852163\n{b64encode(ROOT).decode()}\n"
    signature = b64encode(key_id + private.sign(text.encode())).decode()
    assert KEY.sign(CHECKPOINT) == f"{text}\n— {name} {signature}\n"
    assert f"{name}+{key_id.hex()}+{b64encode(chr(1).encode() + public).decode()}" == VERIFIER


def test_what_is_signed_is_verified_without_us():
    *lines, _, signed = KEY.sign(CHECKPOINT).removesuffix("\n").split("\n")
    signature = b64decode(signed.split(" ")[2])[4:]
    public = Ed25519PublicKey.from_public_bytes(b64decode(VERIFIER.split("+", 2)[2])[1:])
    public.verify(signature, ("\n".join(lines) + "\n").encode())
    with pytest.raises(InvalidSignature):
        public.verify(signature, "\n".join(lines).encode())


def test_gos_own_example_is_read():
    assert verified(GO_NOTE, [Verifier.read(GO_KEY)]) == text_of(GO_NOTE)


def test_a_note_that_is_signed_but_no_checkpoint_is_told():
    assert "three lines" in refused(GO_NOTE, Verifier.read(GO_KEY))


@given(
    st.binary(min_size=32, max_size=32), st.integers(0, 10**18), st.binary(min_size=32, max_size=32)
)
def test_what_a_key_signs_it_verifies(seed, size, root):
    key, checkpoint = NodeKey(seed), Checkpoint(origin_of(INCARNATION), size, root)
    assert Verifier.read(key.verifier.text) == key.verifier
    assert read_note(key.sign(checkpoint), [key.verifier]) == checkpoint


@given(st.data())
def test_a_note_with_any_character_changed_is_refused(data):
    at = data.draw(st.integers(0, len(NOTE) - 1))
    character = data.draw(st.characters().filter(lambda found: found != NOTE[at]))
    with pytest.raises((NotANote, NotSigned)):
        read_note(NOTE[:at] + character + NOTE[at + 1 :], [KEY.verifier])


@pytest.mark.parametrize("keys", [(KEY, OTHER), (OTHER, KEY), (OTHER, OTHER, KEY), (KEY, KEY)])
def test_a_cosigned_note_is_read_with_any_of_the_keys(keys):
    assert read_note(cosigned(*keys), [KEY.verifier]) == CHECKPOINT
    assert read_note(cosigned(*keys), [OTHER.verifier, KEY.verifier]) == CHECKPOINT


def test_sixteen_long_signatures_by_unknown_keys_are_ignored():
    theirs = b64encode(bytes(5000)).decode()
    lines = "".join(f"— witness/{number} {theirs}\n" for number in range(16))
    assert read_note(NOTE + lines, [KEY.verifier]) == CHECKPOINT


def test_a_note_signed_by_none_of_the_keys_says_who_signed_it():
    told = refused(cosigned(OTHER, OTHER), by=NotSigned)
    assert told.count(OTHER.name) == 1
    refused(NOTE, OTHER.verifier, by=NotSigned)
    with pytest.raises(NotSigned):
        read_note(NOTE, [])


def test_a_key_of_the_same_name_and_another_id_is_unknown():
    namesake = Verifier(KEY.name, OTHER.verifier.public)
    assert read_note(cosigned(KEY), [namesake, KEY.verifier]) == CHECKPOINT
    assert "None" in refused(cosigned(KEY), namesake, by=NotSigned)


def test_a_bad_signature_by_a_known_key_spoils_the_note():
    _, name, signed = OTHER.sign(CHECKPOINT).splitlines()[-1].split(" ")
    forged = b64encode(b64decode(signed)[:4] + bytes(64)).decode()
    note = f"{NOTE}— {name} {forged}\n"
    assert read_note(note, [KEY.verifier]) == CHECKPOINT
    assert OTHER.name in refused(note, KEY.verifier, OTHER.verifier, by=NotSigned)


def signed(text: str) -> str:
    """A note of whatever text, by our key."""
    private = Ed25519PrivateKey.from_private_bytes(KEY.seed)
    line = b64encode(KEY.verifier.key_id + private.sign(text.encode())).decode()
    return f"{text}\n— {KEY.name} {line}\n"


@pytest.mark.parametrize(
    "text",
    [
        "o\n1\n",
        "\n1\nROOT\n",
        "o\n1\nROOT\nmore\n",
        "o\n01\nROOT\n",
        "o\n-1\nROOT\n",
        "o\n+1\nROOT\n",
        "o\n1 \nROOT\n",
        "o\n１\nROOT\n",
        "o\n\nROOT\n",
        f"o\n{10**19}\nROOT\n",
        "o\n1\nROOT=\n",
        "o\n1\n ROOT\n",
        f"o\n1\n{b64encode(bytes(31)).decode()}\n",
        f"o\n1\n{b64encode(bytes(33)).decode()}\n",
        f"o\n1\n{b64encode(bytes(32)).decode()[:-2]}B=\n",
    ],
)
def test_what_is_signed_but_not_a_checkpoint_to_the_letter_is_refused(text):
    root = b64encode(ROOT).decode()
    assert read_note(signed("o\n1\nROOT\n".replace("ROOT", root)), [KEY.verifier]).size == 1
    refused(signed(text.replace("ROOT", root)))


@pytest.mark.parametrize("size", [0, 9 * 10**18])
def test_the_empty_log_and_the_longest_have_checkpoints(size):
    checkpoint = Checkpoint("o", size, ROOT)
    assert read_note(KEY.sign(checkpoint), [KEY.verifier]) == checkpoint


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        text_of(NOTE),
        f"{text_of(NOTE)}\n",
        f"\n\n{NOTE.splitlines()[-1]}\n",
        NOTE.removesuffix("\n"),
        NOTE + "\n",
        NOTE + " ",
        NOTE.replace("— ", "- "),
        NOTE.replace("— ", "—  "),
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("— export-tasks", "— export tasks"),
        NOTE.replace("— export-tasks", "— export+tasks"),
        NOTE.replace("— export-tasks", "— export\u3000tasks"),
        NOTE.replace("SBNJ", "SB\tNJ"),
        NOTE.replace("SBNJ", "SB\ud800NJ"),
        f"{NOTE}— witness AAAAAA==\n",
        f"{NOTE}— witness AAAA AAAA\n",
        f"{NOTE}— witness\n",
        f"{NOTE}— witness ÄÖÜ\n",
    ],
)
def test_what_is_no_signed_note_is_refused(note):
    refused(note)


def test_a_note_may_be_a_million_characters_long_and_no_more():
    room = LONGEST - len(NOTE) - len("— w \n")
    longest = f"{NOTE}— w {'A' * (room - room % 4)}\n"
    assert LONGEST - 4 < len(longest) <= LONGEST
    assert read_note(longest, [KEY.verifier]) == CHECKPOINT
    assert "not read" in refused(longest.replace("— w ", "— witness "))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "export-tasks.56475aa7",
        VERIFIER.replace("0da7d9e9", "0da7d9e8"),
        VERIFIER.replace("0da7d9e9", "0DA7D9E9"),
        VERIFIER.replace("export-tasks", "export tasks"),
        VERIFIER.replace("export-tasks", "export-task"),
        VERIFIER.replace("+AQOh", "+AgOh"),
        VERIFIER + "=",
        VERIFIER[:-4],
        VERIFIER[VERIFIER.index("+") :],
    ],
)
def test_what_is_no_verifier_key_is_refused(text):
    with pytest.raises(NotANote, match="verifier"):
        Verifier.read(text)


def test_a_verifier_key_is_read_with_the_newline_of_its_file():
    assert Verifier.read(f"{VERIFIER}\n") == KEY.verifier


def test_an_origin_names_the_incarnation_of_the_log():
    assert origin_of(INCARNATION) == CHECKPOINT.origin
    assert incarnation_of(CHECKPOINT.origin) == INCARNATION


@pytest.mark.parametrize(
    "origin", [INCARNATION, "export-tasks/", f"other/{INCARNATION}", "export-tasks/../../etc/x"]
)
def test_an_origin_that_is_not_ours_is_refused(origin):
    with pytest.raises(NotANote, match="origin"):
        incarnation_of(origin)


def test_a_key_does_not_show_its_secret():
    assert "seed" not in repr(KEY)
