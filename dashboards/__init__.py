"""Show what came of a study: figures and one self-contained page. Speaks Plotly, never torch."""

from spaces.early import heed_early

heed_early()
