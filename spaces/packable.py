"""Say which networks can be packed with others of their plan: see `spaces.packs`. No torch here."""

from dataclasses import replace

from spaces.architecture import Architecture, OwnNetwork, plan


def refusal(architecture: Architecture) -> str:
    """Return why a network cannot be packed with others of its plan; nothing where it can."""
    if isinstance(architecture, OwnNetwork):
        return f"{architecture.network} is a function's network, and nobody knows what its layers mix"
    described = plan(architecture).blocks
    own = next((spec.kind.partition("@")[0] for spec in described if "@" in spec.kind), None)
    if own is not None:
        return f"block {own} is a package's, and nobody knows what its layers mix"
    if any(spec.dropout == "path" for spec in described):
        return "dropout path computes other columns for each member"
    return ""


def but_for_rate(architecture: Architecture) -> Architecture:
    """Return what a network has in common with those of its plan that drop more or less; dropping nothing is apart."""
    if isinstance(architecture, OwnNetwork):
        return architecture
    return replace(architecture, dropout_rate=0.5 if architecture.dropout_rate else 0)
