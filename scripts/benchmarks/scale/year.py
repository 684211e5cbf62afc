"""Year: how much is asked for in each of its hours, and in the minutes when everybody asks."""

from __future__ import annotations

from math import pi, sin

HOURS = 8760
HOURS_OF_A_DAY, DAYS_OF_A_WEEK, DAYS_OF_A_MONTH = 24, 7, 30
SATURDAY, MONTH_ENDS = 5, 28
WORK_BEGINS, WORK_ENDS = 8, 18
NIGHT, WEEKEND, MONDAY, MONTH_END = 0.15, 0.25, 1.3, 1.5
"""Times an hour of a working day, all users in one time zone: the worst there is."""

STORM_MINUTES = 10.0
"""In which every user of the largest project asks once, in the busiest hour: its upgrade is over
and all of them were told so."""


def weights() -> list[float]:
    """What each hour of a year has beside the mean hour."""
    raw = [_weight(hour) for hour in range(HOURS)]
    mean = sum(raw) / HOURS
    return [each / mean for each in raw]


def _weight(hour: int) -> float:
    day, of_day = divmod(hour, HOURS_OF_A_DAY)
    weekday = day % DAYS_OF_A_WEEK
    weight = NIGHT
    if WORK_BEGINS <= of_day < WORK_ENDS:
        weight = 0.7 + 0.3 * sin(pi * (of_day - WORK_BEGINS) / (WORK_ENDS - WORK_BEGINS))
    if weekday >= SATURDAY:
        weight *= WEEKEND
    elif weekday == 0:
        weight *= MONDAY
    return weight * (MONTH_END if day % DAYS_OF_A_MONTH >= MONTH_ENDS else 1.0)
