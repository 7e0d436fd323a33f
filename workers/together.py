"""Say how many networks of one plan are worth training together: see `workers.packs`. No torch here.

What a pack saves is what an operation costs beside its sums. Measured on a processor, one thread, in float32 and
channels_last, as seconds of a training alone over seconds of a member: docs/packing.md has the table. It hangs on how
many multiply-accumulates a convolution has for an image, whatever the images' size, the width and the depth.
"""

from dataclasses import replace

from spaces.architecture import Architecture, plan
from spaces.cost import Cost
from spaces.packable import but_for_rate, refusal
from workers.objectives import OBJECTIVES
from workers.recipe import Recipe

# Multiply-accumulates of a convolution up to which so many are trained together.
PAYS = ((50_000, 8), (150_000, 4))
SHARED = ("epoch_s", "peak_bytes")  # measured costs that a member of a pack does not have for itself


def most_together(architecture: Architecture, cost: Cost, objectives: tuple[str, ...], *, gpu: bool) -> int:
    """Return how many networks of this one's plan pay to be trained together; 1 where none does.

    On a GPU nobody has measured it, so there none does.

    Args:
        architecture: of the networks.
        cost: of one of them.
        objectives: that are measured of each.
        gpu: whether they are trained on one.
    """
    own = any(name in SHARED or name not in OBJECTIVES for name in objectives)
    if gpu or own or refusal(architecture):
        return 1
    convolutions = sum(len(spec.branch) for spec in plan(architecture).blocks)
    return next((many for most, many in PAYS if cost.macs <= most * convolutions), 1)


def in_common(architecture: Architecture, recipe: Recipe) -> tuple[Architecture, Recipe]:
    """Return what members of a pack have in common: all but the rate of dropout, the learning rate and the seed."""
    return but_for_rate(architecture), replace(recipe, learning_rate=1.0 if recipe.learning_rate else 0.0)
