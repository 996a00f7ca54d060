"""The lab: studies of many trainings, run anywhere, told honestly.

`Cell` is one training, `grid` many, `Study` runs them and knows what has been run, `Table` says how they went, `tune`
chooses learning rates on a validation part, `report` makes a
page of it all.
"""

from minidl.lab.cell import Cell, grid
from minidl.lab.data import Data
from minidl.lab.executors import Processes
from minidl.lab.page import Page, Sheet
from minidl.lab.report import report
from minidl.lab.results import Result, Summary, Table
from minidl.lab.study import Study, StudyError
from minidl.lab.tuning import Tuning, tune

__all__ = [
    "Cell",
    "Data",
    "Page",
    "Processes",
    "Result",
    "Sheet",
    "Study",
    "StudyError",
    "Summary",
    "Table",
    "Tuning",
    "grid",
    "report",
    "tune",
]
