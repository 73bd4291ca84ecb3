"""Measure a bundle: python tools/weights/measure_all.py BUNDLE --out FOLDER [--only robustness ...] [--quick]."""

from __future__ import annotations

import sys

from measure.command import main

if __name__ == "__main__":
    sys.exit(main())
