"""Made-up batch tasks."""

from __future__ import annotations

import pytest

from exporter.sources import DETAIL_STATUSES, BatchRefused
from exporter.sources.fields import MAX_TARGET
from exporter.sources.generate import TASK_TYPES, made_up, task_type_of

ROWS = 5_000


@pytest.mark.parametrize("task_type", TASK_TYPES)
def test_the_same_seed_makes_the_same_details(task_type: str) -> None:
    assert list(made_up(ROWS, 7, task_type)) == list(made_up(ROWS, 7, task_type))
    assert list(made_up(ROWS, 7, task_type)) != list(made_up(ROWS, 8, task_type))


def test_fewer_rows_are_the_beginning_of_more() -> None:
    assert list(made_up(10, 7, "createCommands")) == list(made_up(ROWS, 7, "createCommands"))[:10]


@pytest.mark.parametrize("task_type", TASK_TYPES)
def test_every_trouble_of_a_spreadsheet_is_among_them(task_type: str) -> None:
    rows = list(made_up(ROWS, 1, task_type))
    texts = {text for row in rows for text in row if text}
    for beginning in ("=1+1", "+49", "-5", "@x", "00", "1234567890123456789", "=cmd|"):
        assert any(text.startswith(beginning) for text in texts), beginning
    for part in ("水表", "été", "🔋", "成功", "\n"):
        assert any(part in text for text in texts), part
    assert {row[3] for row in rows} == {
        None,
        "IOTDA.014016",
        "IOTDA.014111",
        "IOTDA.014112",
        "IOTDA.014000",
    }


def test_most_succeed_and_every_target_is_another() -> None:
    rows = list(made_up(ROWS, 1, "firmwareUpgrade"))
    statuses = [row[1] for row in rows]
    assert 0.8 < statuses.count("Success") / ROWS < 0.95
    assert {"Success", "Fail", "FailWaitRetry", "Stopped", "Removed"} == set(statuses)
    assert set(statuses) <= set(DETAIL_STATUSES)
    assert len({row[0] for row in rows}) == ROWS
    assert all(row[0] and len(row[0]) <= MAX_TARGET for row in rows)


def test_an_error_stands_where_and_only_where_a_device_failed() -> None:
    for _, status, _, code, text in made_up(ROWS, 1, "createCommands"):
        failed = status in ("Fail", "FailWaitRetry")
        assert (code is not None) is failed
        assert (text is not None) is failed


def test_the_seed_picks_the_task_type_that_nobody_names() -> None:
    assert {task_type_of(seed, None) for seed in range(9)} == set(TASK_TYPES)
    assert task_type_of(5, "createCommands") == "createCommands"
    with pytest.raises(BatchRefused, match="createCommands"):
        task_type_of(0, "reboot")
