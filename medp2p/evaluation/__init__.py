"""Scores one can publish: per region, under a named protocol, with the reason for whatever cannot be given."""

from medp2p.evaluation.case import evaluate
from medp2p.evaluation.measured import METRICS, is_better
from medp2p.evaluation.protocol import Protocol
from medp2p.evaluation.protocol_table import protocols
from medp2p.evaluation.rows import SCORE_COLUMNS, SUMMARY_COLUMNS
from medp2p.evaluation.scores import Scores, read_scores

__all__ = [
    "METRICS",
    "SCORE_COLUMNS",
    "SUMMARY_COLUMNS",
    "Protocol",
    "Scores",
    "evaluate",
    "is_better",
    "protocols",
    "read_scores",
]
