"""Claims of the literature on residual networks, tested on a person's images: `python -m search.claims`.

`claims.toml` holds them and `literature` reads it. `networks` builds what a claim names for the images at hand, `plan`
says what is to be trained, each training once, `series` has it trained by a process, `judging` makes verdicts of it,
`pricing` says what it will take, `shown` and `page` show all of this, and `testing` does what the command is told.
"""
