"""What the readers share."""

from __future__ import annotations

import warnings

import cv2
import numpy as np

from echoplane.sources.dicom.failures import quiet
from echoplane.sources.guard import without_warnings
from echoplane.sources.limits import Limits
from echoplane.sources.picture import opened_picture


def test_threads_that_read_at_once_leave_the_warnings_filter_as_it_was(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((8, 8), np.uint8))
    before = list(warnings.filters)
    readers = [opened_picture(path, "png", "a.png", Limits()), quiet(), without_warnings()]
    for reader in readers:
        reader.__enter__()
    # The one that came first leaves first, as threads do.
    for reader in readers:
        assert warnings.filters[0][:3] == ("ignore", None, Warning)
        reader.__exit__(None, None, None)
    assert warnings.filters == before


def test_the_filter_is_put_back_after_a_failure():
    before = list(warnings.filters)
    for _ in range(2):
        try:
            with without_warnings(), quiet():
                raise ValueError
        except ValueError:
            pass
        assert warnings.filters == before
