"""The names of `amrg` for type checkers; a test holds that `__init__.py` gives the same."""

from amrg.api.scoring import score as score
from amrg.api.studies import draft as draft
from amrg.api.studies import read as read
from amrg.api.training import train as train
from amrg.benchmark.references import References as References
from amrg.benchmark.references import read_references as read_references
from amrg.birads import Draft as Draft
from amrg.birads import Finding as Finding
from amrg.birads import ParsedReport as ParsedReport
from amrg.birads import Report as Report
from amrg.birads import Style as Style
from amrg.birads import check as check
from amrg.birads import parse as parse
from amrg.birads import render as render
from amrg.core.errors import AmrgError as AmrgError
from amrg.datasets import Case as Case
from amrg.datasets import Dataset as Dataset
from amrg.datasets import import_dataset as import_dataset
from amrg.datasets import importer_of as importer_of
from amrg.datasets import make_split as make_split
from amrg.datasets import open_dataset as open_dataset
from amrg.datasets import study_of as study_of
from amrg.generation import Drafted as Drafted
from amrg.generation import DraftOptions as DraftOptions
from amrg.generation import Engine as Engine
from amrg.generation import NotDrafted as NotDrafted
from amrg.generation import Refused as Refused
from amrg.generation import Unreadable as Unreadable
from amrg.generation import draft_studies as draft_studies
from amrg.generation import write_draft as write_draft
from amrg.generation.engines.loading import load_engine as load_engine
from amrg.imaging import Intake as Intake
from amrg.imaging import Mammogram as Mammogram
from amrg.imaging import Study as Study
from amrg.metrics.prediction import Prediction as Prediction
from amrg.metrics.scores import Scores as Scores
from amrg.training.recipe import Recipe as Recipe
from amrg.training.train_config import TrainConfig as TrainConfig
from amrg.training.train_config import read_config as read_config

__version__: str
