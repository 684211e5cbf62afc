"""Upkeep: what an operator does with an installation as a whole: back it up, restore, examine."""
