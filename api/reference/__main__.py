"""Writes the generated pages into the folder that is named."""

from __future__ import annotations

import sys
from pathlib import Path

from api.reference.markdown import pages

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name, text in pages().items():
    (folder / name).write_text(text, "utf-8")
