"""What every test shares: this folder is on the path (`import tiny`)."""

from __future__ import annotations

import os

# A model's answers must be of the code that is tested, not of what an earlier run of it kept.
os.environ["TUTELAGE_ANSWERS"] = "off"
