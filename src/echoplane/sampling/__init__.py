"""Which frames make which clip."""

from __future__ import annotations

from echoplane.sampling.clips import gather, plan
from echoplane.sampling.rule import RULES, SamplingRule, rule_named

__all__ = ["RULES", "SamplingRule", "gather", "plan", "rule_named"]
