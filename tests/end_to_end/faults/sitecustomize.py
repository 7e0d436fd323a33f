"""Plant faults in every process of a study: Python imports this module at its start where it finds it.

A launch gets this folder on PYTHONPATH, and in WIDEFRONT_FAULTS the path of a control file, JSON, which may change
while the study runs and may be missing:

    {"trials": [{"kind": "nan", "number": 3, "epoch": 2, "once": true}], "full": ["checkpoint"], "clock_s": 3600}

trials: what befalls trial `number` as it begins `epoch`; see `trial_faults`.
pace_s: how long each epoch waits before it begins.
who: true to note the process in which each epoch begins.
full: what finds no room on the disk; see `full_disk`.
clock_s: by how much the driver's clock is wrong; see `moved_clock`.
"""

import os
import sys

if "WIDEFRONT_FAULTS" in os.environ:
    import full_disk
    import moved_clock
    import trial_faults
    from planting import Planter

    sys.meta_path.insert(0, Planter(trial_faults.PLANTS))
    full_disk.plant()
    moved_clock.plant()
