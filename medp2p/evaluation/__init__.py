"""Scores one can publish: per region, under a named protocol, with the reason for whatever cannot be given."""

from medp2p.evaluation.measured import METRICS, is_better
from medp2p.evaluation.protocol import Protocol
from medp2p.evaluation.protocol_table import protocols

__all__ = ["METRICS", "Protocol", "is_better", "protocols"]
