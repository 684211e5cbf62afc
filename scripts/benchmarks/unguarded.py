"""The API worker without its doors, for comparison alone: everybody is one user who may all."""

from __future__ import annotations

import sys
from typing import Any

from api import requests
from api.access.authenticate import Identity
from api.settings import Settings
from scripts.worker import serve_api

if __name__ == "__main__":
    whoever = Identity(sys.argv[2])
    doors: Any = requests
    doors._identity = lambda _: whoever
    doors._must_be_permitted = lambda *_: None
    serve_api(Settings.read(), int(sys.argv[1]))
