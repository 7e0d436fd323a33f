"""Show a study in its course: one live display on a terminal, plain lines anywhere else."""

import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.text import Text

from search.core.fronts import front_hypervolume
from search.core.labels import MOST_OF_REASON, failures_line, front_table, trial_line
from search.core.records import State, TrialRecord
from search.core.units import format_duration, format_number_of
from search.driver.screen import Screen
