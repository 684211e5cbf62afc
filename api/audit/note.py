"""Note: a checkpoint of the event log as a C2SP signed note, written, signed, read and verified.

The formats are those of c2sp.org/signed-note and c2sp.org/tlog-checkpoint, byte for byte.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.refusals import Refusal
from projections.seal import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 1_000_000
"""Characters of a note that is read: room for far more than sixteen cosigners."""

PUBLIC_BYTES = 32
_ED25519 = b"\x01"
_ID_BYTES = 4
_ORIGIN = "export-tasks/"
_KEY_NAME = "export-tasks."
_KEY_NAME_BYTES = 4

_FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")
"""Control characters, and what has no UTF-8."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME = re.compile(r"[^\s+]+")
_SIGNATURE = re.compile(rf"— ({_NAME.pattern}) (\S+)")
_INCARNATION = re.compile(r"[0-9a-f]{32}")


class NotANote(Refusal):
    """A text that is no signed note of a checkpoint, or no verifier key; it says why."""


class NotSigned(Refusal):
    """A note without a good signature by any of the keys that it is read with."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed: the log had `size` events, and the tree over them this root (RFC 6962)."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def read(cls, text: str) -> Checkpoint:
        """As `text` wrote it; lines that the format would let follow are refused.

        Raises:
            NotANote: it is anything else.
        """
        origin, *rest = text.split("\n")
        if not origin or len(rest) != 3 or rest[2]:
            raise NotANote("A checkpoint is three lines: origin, size, root.")
        size, root, _ = rest
        if not _SIZE.fullmatch(size):
            raise NotANote(f"'{size[:40]}' is not the size of a log.")
        decoded = _decoded(root)
        if len(decoded) != HASH_BYTES:
            raise NotANote(f"'{root[:80]}' is not the root of a log.")
        return cls(origin, int(size), decoded)

    def text(self) -> str:
        """The lines that are signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public Ed25519 key under its name."""

    name: str
    public: bytes

    @classmethod
    def read(cls, text: str) -> Verifier:
        """From `<name>+<hex key id>+<base64(0x01 || public key)>`; space around it is ignored.

        Raises:
            NotANote: it is anything else, or a key of another kind.
        """
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        decoded = _decoded(encoded)
        found = cls(name, decoded[1:])
        wrong = not _NAME.fullmatch(name) or decoded[:1] != _ED25519
        if wrong or len(found.public) != PUBLIC_BYTES or key_id != found.key_id.hex():
            raise NotANote(f"'{text.strip()[:120]}' is not the key of an Ed25519 verifier.")
        return found

    @property
    def text(self) -> str:
        """As `read` takes it, and every other reader of signed notes."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    @property
    def key_id(self) -> bytes:
        """Four bytes by which, with the name, a signature tells whose it is."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    def verifies(self, text: str, signature: bytes) -> bool:
        """Did this key sign the text?"""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class NodeKey:
    """A node's private key: the 32 bytes that an Ed25519 key is made from."""

    seed: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Derived from the public key, so that no two keys share one."""
        return self.verifier.name

    @cached_property
    def verifier(self) -> Verifier:
        """What others verify its signatures with."""
        public = self._private.public_key().public_bytes_raw()
        return Verifier(_KEY_NAME + sha256(public).digest()[:_KEY_NAME_BYTES].hex(), public)

    def sign(self, checkpoint: Checkpoint) -> str:
        """The whole note, signed by this key alone."""
        text = checkpoint.text()
        signature = self.verifier.key_id + self._private.sign(text.encode())
        return f"{text}\n— {self.name} {b64encode(signature).decode()}\n"

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


class Signature(NamedTuple):
    """A line of a note: whose signature it claims to be, and its bytes."""

    name: str
    key_id: bytes
    signature: bytes


def read_note(text: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint of a note that one of these keys signed.

    Signatures by other keys are ignored; but one that claims to be by a known key must be good.

    Raises:
        NotANote: the text is no signed note, or what was signed is no checkpoint.
        NotSigned: none of these keys signed it, or one is claimed to have and did not.
    """
    return Checkpoint.read(verified(text, verifiers))


def verified(note: str, verifiers: Iterable[Verifier]) -> str:
    """The text of a note that one of these keys signed. Raises as `read_note`."""
    known = {(each.name, each.key_id): each for each in verifiers}
    text, signatures = _parts(note)
    by_known = [each for each in signatures if each[:2] in known]
    for each in by_known:
        if not known[each[:2]].verifies(text, each.signature):
            raise NotSigned(f"The signature by {each.name} is not one of this text.")
    if not by_known:
        names = ", ".join(dict.fromkeys(each.name for each in signatures))
        raise NotSigned(f"None of the given keys signed this note; signed by: {names}.")
    return text


def origin_of(incarnation: str) -> str:
    """The origin of the checkpoints of one incarnation of the log."""
    return _ORIGIN + incarnation


def incarnation_of(origin: str) -> str:
    """Which incarnation of the log a checkpoint is of.

    Raises:
        NotANote: the origin is not one of ours.
    """
    incarnation = origin.removeprefix(_ORIGIN)
    if incarnation == origin or not _INCARNATION.fullmatch(incarnation):
        raise NotANote(f"'{origin[:80]}' is not the origin of an event log of export-tasks.")
    return incarnation


def _parts(note: str) -> tuple[str, list[Signature]]:
    """The text, up to its last newline, and the signatures under it."""
    if len(note) > LONGEST:
        raise NotANote(f"A note of more than {LONGEST} characters is not read.")
    if _FORBIDDEN.search(note):
        raise NotANote("A note holds no control characters and is UTF-8.")
    text, blank, signed = note.rpartition("\n\n")
    if not text or not blank or not signed.endswith("\n"):
        raise NotANote("A note is a text, an empty line, and a line for each signature.")
    return f"{text}\n", [_signature(line) for line in signed.removesuffix("\n").split("\n")]


def _signature(line: str) -> Signature:
    match = _SIGNATURE.fullmatch(line)
    decoded = _decoded(match[2]) if match else b""
    if not match or len(decoded) <= _ID_BYTES:
        raise NotANote(f"'{line[:120]}' is not a signature.")
    return Signature(match[1], decoded[:_ID_BYTES], decoded[_ID_BYTES:])


def _decoded(text: str) -> bytes:
    """Of base64 in its one canonical form; nothing of any other."""
    try:
        decoded = b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        return b""
    return decoded if b64encode(decoded).decode() == text else b""
