"""Verifies a bundle or receipts of export-tasks' event log; needs nothing of export-tasks itself.

python verify.py                    the bundle in whose folder this file stands
python verify.py RECEIPT…           receipts, plain or gzipped
  --key FILE_OR_TEXT                a key that you have from another source; else those in `keys`
  --checkpoint FILE_OR_FOLDER       checkpoints that you kept; else those in `checkpoints`
Exit 0: sound. 3: changed. 4: cannot tell. Ed25519 signatures are checked by the package
`cryptography` or the command `openssl` (3.0). Formats: RFC 6962, c2sp.org/signed-note.
"""

# ruff: noqa: B905, RUF007, S603, T201, TC003 (Python 3.9 runs it; it prints, and asks openssl)
from __future__ import annotations

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID, uuid5

CHANGED, CANNOT_TELL = 3, 4
TAG = b"export-tasks/event/1"
STREAMS = UUID("5b8e2d2e-7f0c-5c55-9d3a-1f6a0c9e4b71")
DER = bytes.fromhex("302a300506032b6570032100")  # before the 32 bytes of an Ed25519 key


def end(code: int, why: str) -> NoReturn:
    """Ends with what was found."""
    print(f"{'changed' if code == CHANGED else 'cannot tell'}: {why}")
    sys.exit(code)


def leaf(event: dict[str, Any]) -> bytes:
    """The hash of an event's entry: five parts, each after its length in two bytes."""
    digest = sha256(event["state"].encode("utf-8", "surrogateescape")).digest()
    place, number = bytes.fromhex(event["stream"]), event["version"].to_bytes(8, "big")
    parts = (TAG, place, number, event["topic"].encode(), digest)
    return sha256(b"\0" + b"".join(len(each).to_bytes(2, "big") + each for each in parts)).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return sha256(b"\1" + left + right).digest()


def roots_of(leaves: Iterator[bytes], sizes: set[int]) -> tuple[int, dict[int, bytes]]:
    """How many leaves there are, and the tree's root at each of the sizes."""
    count, roots, frontier = 0, {0: sha256().digest()}, []  # type: ignore[var-annotated]
    for count, root in enumerate(leaves, 1):
        height = count - 1
        while height & 1:
            root, height = node(frontier.pop(), root), height >> 1
        frontier.append(root)
        if count in sizes:
            for left in frontier[-2::-1]:
                root = node(left, root)
            roots[count] = root
    return count, roots


def root_by_path(found: bytes, rank: int, size: int, path: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 6962, section 2.1.1); nothing: to none."""
    if size <= 1 or not path:
        return found if (rank, size, path) == (0, 1, []) else b""
    half, nearer, last = 1 << (size - 1).bit_length() - 1, path[:-1], path[-1]
    if rank < half:
        return node(root_by_path(found, rank, half, nearer), last)
    return node(last, root_by_path(found, rank - half, size - half, nearer))


def is_signed(text: bytes, signature: bytes, public: bytes) -> bool:
    """Is it this key's Ed25519 signature? Asks whichever is here."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519

        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
        return True
    except Exception as error:  # noqa: BLE001 (whatever it says of a signature: it is no good one)
        if not isinstance(error, ImportError):
            return False
    if not (program := shutil.which("openssl")):
        end(CANNOT_TELL, "there is neither the package cryptography nor the command openssl")
    with tempfile.TemporaryDirectory() as place:
        command = [program, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
        for option, content in (("in", text), ("sigfile", signature), ("inkey", DER + public)):
            Path(place, option).write_bytes(content)
            command += [f"-{option}", str(Path(place, option))]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def read_note(text: str, keys: dict[Any, bytes]) -> tuple[int, bytes, str, str]:
    """A checkpoint's size, root, incarnation, and what it is in words. ValueError: it is none."""
    body, _, signatures = text.rpartition("\n\n")
    origin, size, root = body.split("\n")
    for line in signatures.splitlines():
        _, name, encoded = line.split(" ")
        mark = b64decode(encoded)
        if (key := keys.get((name, mark[:4]))) and is_signed((body + "\n").encode(), mark[4:], key):
            told = f"the checkpoint of {size} events, signed by {name}"
            return int(size), b64decode(root), origin.rpartition("/")[2], told
    raise ValueError("none of the given keys signed it")


def texts(paths: list[str]) -> Iterator[tuple[str, str]]:
    """The texts of files and of all files below folders, by path; what is no file is a text."""
    for each in (each for top in paths for each in (top, *sorted(map(str, Path(top).rglob("*"))))):
        if not Path(each).is_dir():
            yield each, Path(each).read_text("utf-8") if Path(each).is_file() else each


def bundled(folder: Path, begun: list[tuple[str, int]]) -> Iterator[bytes]:
    """The bundle's leaves; `begun` learns on the way where the incarnations of the log began."""
    done, joined = 0, b"".join(each.read_bytes() for each in folder.glob("leaves.bin"))
    others = [joined[at : at + 32] for at in range(0, len(joined), 32)]
    for event in map(json.loads, (folder / "events.jsonl").open("rb")):
        rank, found = event["rank"], leaf(event)
        if others[rank : rank + 1] != [found] if others else rank != done:
            end(CHANGED, f"the event of rank {rank} is not the one of this bundle: {event}")
        if event["topic"] == "log.begun" and event["stream"] == uuid5(STREAMS, "log").hex:
            facts = json.loads(event["state"])
            if not begun or (facts["previous"], facts["previous_count"]) == (begun[-1][0], rank):
                begun.append((facts["incarnation"], rank))
        yield from (*others[done:rank], found)
        done = rank + 1
    yield from others[done:]


def judge(folder: Path, notes: list[tuple[int, bytes, str, str]]) -> None:
    """Compares the bundle's events with every checkpoint, and says how far they are proven."""
    begun: list[tuple[str, int]] = []
    count, roots = roots_of(bundled(folder, begun), {note[0] for note in notes})
    kept, good, lost = {before[0]: after[1] for before, after in zip(begun, begun[1:])}, 0, 0
    for size, root, incarnation, told in sorted(notes):
        if size > kept.get(incarnation, size):
            lost = max(lost, kept[incarnation])
            print(f"gone by a restore, which kept {kept[incarnation]} events: {told}")
        elif len(begun) > 1 and incarnation not in dict(begun):
            end(CANNOT_TELL, f"of another log, or left by a restore: {told}")
        elif roots.get(size) != root:
            how = f"the log ends at {count}" if size > count else "not what was sealed"
            end(CHANGED, f"events from rank {good} to {size - 1}: {how}: {told}")
        else:
            good = size
    if good <= lost:
        end(CANNOT_TELL, "no checkpoint seals the log as it is now")
    print(f"sound: the first {good} of {count} events; the last {count - good} are not sealed")


def check_receipt(content: bytes, keys: dict[Any, bytes]) -> None:
    """Says what a receipt proves."""
    receipt = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    (size, root, _, told), joined = read_note(receipt["note"], keys), b64decode(receipt["path"])
    receipt["stream"] = uuid5(STREAMS, f"task/{receipt['task']}").hex
    path = [joined[at : at + 32] for at in range(0, len(joined), 32)]
    if root_by_path(leaf(receipt), receipt["rank"], size, path) != root:
        end(CHANGED, "this is no event of the log that was sealed")
    event = f"{receipt['topic']} of the task {receipt['task']}, rank {receipt['rank']}"
    print(f"sound: in {told}, there is the event {event}: {receipt['state']}")


def main() -> None:
    """Judges what it is given."""
    here, parser = Path(__file__).resolve().parent, argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("receipt", nargs="*", type=Path)
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--checkpoint", action="append", default=[])
    given = parser.parse_args()
    if not given.key:
        print("the keys are those in the bundle itself: compare them with another source")
    keys: dict[Any, bytes] = {}
    for where, text in texts(given.key or [str(here / "keys")]):
        name, _, encoded = [*text.strip().split("+", 2), "", ""][:3]
        if len(encoded) != 44 or not (key := b64decode(encoded)):  # 33 bytes: its kind, and it
            end(CANNOT_TELL, f"this is no key, which is NAME+ID+BASE64: {where}")
        keys[name, sha256(name.encode() + b"\n" + key).digest()[:4]] = key[1:]
    for path in given.receipt:
        check_receipt(path.read_bytes(), keys)
    if not given.receipt:
        notes = []
        for name, text in texts(given.checkpoint or [str(here / "checkpoints")]):
            try:
                notes.append(read_note(text, keys))
            except ValueError as error:
                print(f"not used: {name}: {error}")
        judge(here, notes)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        end(CANNOT_TELL, f"{type(error).__name__}: {error}")
