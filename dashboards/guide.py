"""What somebody has to know who reads a study in Optuna Dashboard: the note that is left there, in Markdown."""

from collections.abc import Sequence

from dashboards.frames import StudyView
from dashboards.importance import COSTLESS

ABOVE = "*Widefront writes what stands above this line anew; below it is yours.*"
LIVE = "http://127.0.0.1:8480/"  # where the page is, unless something else listens there

LIVE_PAGE = (
    f"- [The live page]({LIVE}) shows this study with everything below in it, on this machine, while the command runs "
    "that stands in the study's attribute *live page*."
)
FRONT = (
    "- **The front** is the plot with that title. *Best Trials* does not look at constraints, so a network that the "
    "study would refuse by now, with the attribute *outside*, stands there too and can hide others; and it knows one "
    "run of each network, where *The front* has the mean over seeds."
)
CURVES = (
    "- **Learning curves** are the plot with that title: Optuna takes intermediate values for one objective only, so "
    "its own are empty."
)
PRUNED = (
    "- A trial that was stopped early is *Pruned* and has no value; its attributes *last_accuracy* and "
    "the like are what was last measured of it, and *epochs* how many it was trained."
)
WAITING = (
    "- A trial that rests until it is promoted, or until there is more budget, is *Waiting*. Optuna keeps one span of "
    "time for each trial, so one that goes on has its start moved by as long as it rested, and one that ends at rest "
    "has ended when it last trained. After a launch was killed, what it trained is *Running* until the next begins."
)
AS_OF = "- Plots and this note are as of the end of the last launch; trials and their attributes are as of now."


def note(view: StudyView, before: str = "") -> str:
    """Return the note on a study; what a person has written below ours, or instead of it, stays.

    Args:
        view: the study.
        before: what stands there.
    """
    ours, line, theirs = before.partition(ABOVE)
    if ours.strip() and not line:
        return before
    return "\n\n".join(["## How to read these pages", *_items(view), ABOVE]) + theirs


def _items(view: StudyView) -> list[str]:
    """Return a paragraph for each thing that these pages cannot know. None names what a person has named."""
    several = len(view.study.objectives) > 1
    return [LIVE_PAGE, FRONT, *([CURVES] if several else []), PRUNED, WAITING, *_importance(view), AS_OF]


def _importance(view: StudyView) -> list[str]:
    names = [name for name in view.searched() if name in COSTLESS]
    costs = [name for name in view.study.objectives if view.study.objective(name).static]
    if not names or not costs:
        return []
    return [
        f"- *Hyperparameter Importance* guesses, also for {_listed(costs)}: no network costs more or less by "
        f"{_listed(names)}, whatever it says of these. The plot *Importance of each parameter* leaves them out there."
    ]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"*{name}*" for name in names)
