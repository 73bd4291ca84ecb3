"""The scripts under ``tools/weights`` are no package that is installed: their folder is put on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "weights"))
