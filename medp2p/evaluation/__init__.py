"""Scores one can publish: per region, under a named protocol, with the reason for whatever cannot be given."""

from medp2p.evaluation.case import Case, evaluate, prepare_case
from medp2p.evaluation.comparison import Comparison, compare
from medp2p.evaluation.figures import Scale, slice_strip
from medp2p.evaluation.files import Evaluation, evaluate_cases, evaluate_files
from medp2p.evaluation.matching import CaseFiles
from medp2p.evaluation.measured import METRICS, is_better
from medp2p.evaluation.pictures import CasePictures, pictures_of
from medp2p.evaluation.protocol import Protocol
from medp2p.evaluation.protocol_table import protocols
from medp2p.evaluation.rows import SCORE_COLUMNS, SUMMARY_COLUMNS
from medp2p.evaluation.scores import Scores, read_scores
from medp2p.evaluation.written import write_evaluation

__all__ = [
    "METRICS",
    "SCORE_COLUMNS",
    "SUMMARY_COLUMNS",
    "Case",
    "CaseFiles",
    "CasePictures",
    "Comparison",
    "Evaluation",
    "Protocol",
    "Scale",
    "Scores",
    "compare",
    "evaluate",
    "evaluate_cases",
    "evaluate_files",
    "is_better",
    "pictures_of",
    "prepare_case",
    "protocols",
    "read_scores",
    "slice_strip",
    "write_evaluation",
]
