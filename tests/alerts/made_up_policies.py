"""Which policies do the tests of the core make up, so that each family of rules is met, alone and together?"""


def opening(name: str, title: str, *, lateness: str = "40 d", actionable: str = "1 h") -> str:
    """Write how a policy begins, before its rules."""
    return f"""
name = "{name}"
title = "{title}"
author = "test"
source = "test"
reason = "test"
lateness = "{lateness}"
actionable = "{actionable}"
"""


STRICT = (
    opening("strict", "Holds, gaps and deadbands")
    + """
[[limit]]
name = "fast_pulse"
title = "Fast pulse"
vital = "pulse"
side = "high"
yellow = 100
amber = 120
red = 140
extreme = 200
deadband = 5
raise_after = { consecutive = 2, hold = "10 min", red = { consecutive = 3 } }
clear_after = { consecutive = 2, apart = "5 min", hold = "5 min" }
gap = "15 min"
source = "test"
"""
)

COURSES = (
    opening("courses", "Every trend family, and combinations")
    + """
[[limit]]
name = "raised_pulse"
title = "Raised pulse, for combinations only"
vital = "pulse"
side = "high"
yellow = 95
quiet = true
source = "test"
[[score]]
name = "news2"
title = "NEWS2"
table = "news2"
amber = 5
valid = "4 h"
source = "test"
[[change]]
name = "saturation_fell"
title = "Saturation fell"
vital = "spo2"
side = "low"
every = "1 h"
over = "6 h"
at_least = 2
reference = "extreme"
yellow = 2.5
amber = 5.5
deadband = 1
source = "test"
[[change]]
name = "score_rose"
title = "Score above the usual one"
vital = "news2"
side = "high"
every = "2 h"
over = "20 h"
at_least = 2
reference = "spread"
least_spread = 0.7
yellow = 1.9
source = "test"
[[average]]
name = "mean_systolic"
title = "Average systolic pressure"
vital = "bp_systolic"
side = "high"
every = "2 h"
over = "24 h"
at_least = 3
skip = 1
amber = 135
source = "test"
[[slope]]
name = "pulse_slope"
title = "Pulse rising"
vital = "pulse"
side = "high"
every = "1 h"
over = "12 h"
at_least = 3
yellow = 4.3
source = "test"
[[combination]]
name = "pulse_and_saturation"
title = "Pulse and saturation together"
of = ["raised_pulse", "saturation_fell", "pulse_slope"]
at_least = 2
severity = "red"
clear_after = { consecutive = 2 }
source = "test"
"""
)
CUSUM = (
    opening("shifts", "Shifts from the usual, by both ways of telling")
    + """
[[ewma]]
name = "breathing_shift"
title = "Respiration shifted"
vital = "respiration_rate"
side = "high"
every = "2 h"
over = "30 h"
at_least = 2
weight = 0.3
least_spread = 1.7
yellow = 1.1
source = "test"
[[cusum]]
name = "pulse_up"
title = "Pulse up"
vital = "pulse"
side = "high"
every = "1 h"
over = "20 h"
at_least = 2
slack = 0.45
least_spread = 9.7
yellow = 1.3
red = 4.1
source = "test"
[[cusum]]
name = "pulse_down"
title = "Pulse down"
vital = "pulse"
side = "low"
every = "1 h"
over = "20 h"
at_least = 2
slack = 0.45
least_spread = 9.7
yellow = 1.3
source = "test"
"""
)
LATCHED = (
    opening("latched", "What stays, at night and together")
    + """
[[limit]]
name = "fast_pulse"
title = "Fast pulse"
vital = "pulse"
side = "high"
yellow = 100
amber = 120
red = 140
night = { from = "21:30", to = "06:15", yellow = 90, amber = 104, extreme = 205 }
extreme = 220
deadband = 5
latching = true
source = "test"
[[limit]]
name = "low_saturation"
title = "Low saturation"
vital = "spo2"
side = "low"
amber = 93
red = 90
night = { from = "01:00", to = "02:30", amber = 91 }
clear_after = { consecutive = 2 }
source = "test"
[[combination]]
name = "both"
title = "Both"
of = ["fast_pulse", "low_saturation"]
at_least = 2
severity = "red"
latching = true
source = "test"
[[overdue]]
name = "nothing"
title = "Nothing observed"
vitals = ["pulse", "spo2"]
every = "2 h"
grace = "30 min"
severity = "yellow"
source = "test"
"""
)
DOUBTS = (
    opening("doubts", "Rules on the observations themselves")
    + """
[[limit]]
name = "fast_pulse"
title = "Fast pulse"
vital = "pulse"
side = "high"
amber = 120
red = 140
hard = true
source = "test"
[[limit]]
name = "raised_pulse"
title = "Raised pulse"
vital = "pulse"
side = "high"
yellow = 100
source = "test"
[[score]]
name = "news2"
title = "NEWS2"
table = "news2"
amber = 4
valid = "4 h"
source = "test"
[[overdue]]
name = "nothing"
title = "No pulse"
vitals = ["pulse"]
every = "2 h"
grace = "30 min"
severity = "yellow"
source = "test"
[[overdue]]
name = "each"
title = "One of them is silent"
vitals = ["pulse", "spo2", "temperature"]
needs = "all"
every = "2 h"
grace = "30 min"
severity = "amber"
source = "test"
[[repeat]]
name = "again"
title = "Again"
vitals = ["bp_systolic", "pulse"]
multiple_of = "1 h"
at_most = "6 h"
source = "test"
[[quality]]
name = "moving"
title = "Moving"
marks = ["movement", "cuff_fit"]
vitals = ["pulse", "bp_systolic"]
severity = "amber"
scored = false
raise_after = { consecutive = 2 }
clear_after = { consecutive = 2 }
source = "test"
[[quality]]
name = "no_clock"
title = "The clock is not set"
marks = ["clock_unset"]
vitals = ["spo2", "temperature"]
severity = "yellow"
latching = true
source = "test"
[[disagreement]]
name = "two_pulses"
title = "Oximeter and cuff disagree"
vital = "pulse"
beside = ["spo2", "bp_systolic"]
within = "3 h"
yellow = 9
amber = 25.5
deadband = 4
source = "test"
[[outlier]]
name = "somebody_else"
title = "Perhaps somebody else"
vital = "bp_systolic"
every = "1 h"
over = "20 h"
at_least = 3
least_spread = 4.7
yellow = 1.9
amber = 3.3
deadband = 0.4
source = "test"
"""
)
