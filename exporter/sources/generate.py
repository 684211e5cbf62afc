"""Makes up the details of a batch task as a fleet in the field would answer it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from exporter.sources import BatchRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.sources import Detail

_Answer: TypeAlias = Callable[[int, int], str]
"""From the row's number and 32 bits of chance."""

PRODUCT = "5f44d2b1a8c0e903"
_NAMES = (
    "meter-{:08d}",
    "{:012d}",
    "水表-{:06d}号",
    "capteur-été-{:05d}",
    "Zähler-Süd-{:05d}",
    "86{:013d}",
    "ポンプ-{:05d}",
    "898602{:013d}",
)
# What devices say in their own words: texts that a spreadsheet would take for something else.
_OWN_WORDS = (
    "=1+1",
    "+49 170 5550123",
    "-5",
    "@x",
    "00042",
    "1234567890123456789",
    "1/2",
    "TRUE",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.com","open")',
    "déjà à jour",
    "升级成功，设备已重启",
    "完成 ✅ 电量 12 % 🔋",
    "温度过高 🌡️ 已关闭阀门",
    "línea 1\nlínea 2",
    "  leading and trailing  ",
    "1e5",
    "2026-01-31",
)
_ERRORS = (
    ("IOTDA.014016", "The device is not online."),
    ("IOTDA.014016", "设备不在线。"),
    ("IOTDA.014111", "The command timed out."),
    ("IOTDA.014112", "The device has not subscribed to the topic."),
    ("IOTDA.014000", "The device does not exist."),
)
_VERSIONS = ("V1.0.9", "V2.1.0", "V2.1.3-β", "007.10", "20260131")
_NO_ERROR = (None, None)
_OWN_WORDS_IN = 16

# One status for each of 64 draws: seven of eight succeed.
_STATUSES = (
    *("Success",) * 56,
    *("Fail",) * 4,
    "FailWaitRetry",
    "FailWaitRetry",
    "Stopped",
    "Removed",
)


def _upgrade(number: int, chance: int) -> str:
    version = _VERSIONS[chance % len(_VERSIONS)]
    return f"{version} -> V2.2.0; 100%; {20 + chance % 400} s; attempt {1 + number % 3}"


def _command(number: int, chance: int) -> str:
    if chance % 5 == 0:
        return f'{{"结果":"成功","位置":"{number % 9 + 1}号楼","电量":{chance % 101}}}'
    return (
        f'{{"result_code":0,"response_name":"ON_OFF_RESPONSE",'
        f'"paras":{{"value":"ON","battery":{chance % 101},"sequence":"{number:06d}"}}}}'
    )


_ANSWERS: dict[str, _Answer] = {
    "firmwareUpgrade": _upgrade,
    "softwareUpgrade": _upgrade,
    "createCommands": _command,
}
_PARTIAL: dict[str, _Answer] = {
    "firmwareUpgrade": lambda _, chance: f"V2.1.0; {chance % 100}%",
    "softwareUpgrade": lambda _, chance: f"V2.1.0; {chance % 100}%",
    "createCommands": lambda _, chance: "" if chance % 2 else '{"result_code":1}',
}
TASK_TYPES = tuple(_ANSWERS)


def task_type_of(seed: int, task_type: str | None) -> str:
    """The task type asked for, or else the seed's own. Raises BatchRefused for an unknown one."""
    if task_type is not None and task_type not in TASK_TYPES:
        raise BatchRefused(f"The task type '{task_type}' is not one of {', '.join(TASK_TYPES)}.")
    return task_type or TASK_TYPES[seed % len(TASK_TYPES)]


def made_up(rows: int, seed: int, task_type: str) -> Iterator[Detail]:
    """As many details as asked for, the same for the same seed on every machine."""
    bits = Random(seed).getrandbits  # noqa: S311 (made-up data, repeatable on purpose)
    for number in range(rows):
        yield _detail(number, bits(32), task_type)


def _detail(number: int, chance: int, task_type: str) -> Detail:
    status = _STATUSES[chance & 63]
    rest = chance >> 6
    target = f"{PRODUCT}_{_NAMES[rest % len(_NAMES)].format(number)}"
    rest >>= 3
    if status == "Success":
        return target, status, _output(number, rest, task_type), *_NO_ERROR
    if status in ("Stopped", "Removed"):
        return target, status, None, *_NO_ERROR
    return target, status, _PARTIAL[task_type](number, rest), *_ERRORS[rest % len(_ERRORS)]


def _output(number: int, chance: int, task_type: str) -> str:
    if chance % _OWN_WORDS_IN == 0:
        return _OWN_WORDS[chance // _OWN_WORDS_IN % len(_OWN_WORDS)]
    return _ANSWERS[task_type](number, chance)
