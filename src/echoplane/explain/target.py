"""What is explained: one view, or why one view and not another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echoplane.errors import UsageError
from echoplane.records import FloatArray
from echoplane.views import suggest


@dataclass(frozen=True, slots=True)
class Target:
    """The number whose origin is shown: a logit, or the difference of two.

    Attributes
    ----------
    view : str
    minus : str
        The view that is compared with, or "".
    """

    view: str
    minus: str = ""

    @property
    def name(self) -> str:
        """For titles: ``A4C``, or ``PSAX-PM, not PSAX-MV``."""
        return f"{self.view}, not {self.minus}" if self.minus else self.view

    def weights(self, views: Sequence[str]) -> FloatArray:
        """Return the weight of each logit, (K,): +1 for the view, -1 for the one it is compared with.

        Raises
        ------
        UsageError
            When a view is not among those of the network, or both are the same.
        """
        for name in filter(None, (self.view, self.minus)):
            if name not in views:
                raise UsageError(
                    f"the network does not know {name!r}{suggest(name, views)} (it knows {', '.join(views)})."
                )
        if self.view == self.minus:
            raise UsageError(f"{self.view!r} minus itself is nothing; name two views.")
        result = np.zeros(len(views), np.float32)
        result[views.index(self.view)] = 1
        if self.minus:
            result[views.index(self.minus)] = -1
        return result
