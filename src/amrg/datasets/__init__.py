"""Public data sets to cases: one importer a data set, splits, leak check. Knows no model."""

from amrg.datasets.case import Case, ImageRef, ReferenceSource
from amrg.datasets.import_dataset import PartDone, import_dataset
from amrg.datasets.importer import About, DatasetError, Importer, Item, Oddity
from amrg.datasets.importers.registry import importer_of, importers
from amrg.datasets.splits.groups import fold, is_patient, patient_group, text_group
from amrg.datasets.splits.leaks import Leak, LeakCheck, LeakKind, SharedCase, check_split
from amrg.datasets.splits.near_duplicates import NEAR, similarity, word_pairs
from amrg.datasets.splits.rules import SplitRule, make_split, rules_for
from amrg.datasets.stats import Stats, stats_of
from amrg.datasets.store import Dataset, Info, Split, open_dataset
from amrg.datasets.studies import study_of

__all__ = [
    "NEAR",
    "About",
    "Case",
    "Dataset",
    "DatasetError",
    "ImageRef",
    "Importer",
    "Info",
    "Item",
    "Leak",
    "LeakCheck",
    "LeakKind",
    "Oddity",
    "PartDone",
    "ReferenceSource",
    "SharedCase",
    "Split",
    "SplitRule",
    "Stats",
    "check_split",
    "fold",
    "import_dataset",
    "importer_of",
    "importers",
    "is_patient",
    "make_split",
    "open_dataset",
    "patient_group",
    "rules_for",
    "similarity",
    "stats_of",
    "study_of",
    "text_group",
    "word_pairs",
]
