"""Everything that is known of what a network costs before it is trained."""

from dataclasses import replace

from spaces.architecture import Architecture, ImageSpec
from spaces.cost import Cost
from spaces.counting import BATCH, cost
from workers.objectives import counted


def cost_of(architecture: Architecture, image: ImageSpec, *, batch: int = BATCH) -> Cost:
    """Return what is counted of a network, static objectives that have an entry of their own included.

    Args:
        architecture: of the network.
        image: one image that it sees.
        batch: images that it is trained on at a time, for `training_bytes`.

    Raises:
        InfeasibleArchitecture: it cannot be built.
    """
    return replace(cost(architecture, image, batch=batch), more=counted(architecture, image))
