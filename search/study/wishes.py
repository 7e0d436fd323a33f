"""What people have asked of a running study and what holds until something else is asked."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Wishes:
    """Nothing of it is in SQL here: whoever takes requests fills it, and answers them."""

    held: bool = False  # nothing new begins and nothing is promoted
    ended: bool = False  # the launch is to end, as after a signal
    stopping: dict[int, str] = field(default_factory=dict)  # why trials at work are stopped at their next epoch
    waiting: dict[int, int] = field(default_factory=dict)  # trials that came to a rung meanwhile, by its epoch
    lifted: dict[int, int] = field(default_factory=dict)  # trials that were promoted by people, from which epoch
