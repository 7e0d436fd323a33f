"""Tell other tools of a study while it runs: a listener for each, which hears of epochs and of trials that end.

`registry` names them; `background` keeps a study from waiting for any of them.
"""
