"""Which words do people read on the patient page, beyond those that all pages share?"""

from __future__ import annotations

SPANS = {"24h": "24 h", "7d": "7 days", "30d": "30 days", "90d": "90 days", "1y": "1 year"}
VIEWS = {"charts": "Charts", "news2": "NEWS2 chart", "averages": "BP averages", "table": "Table"}
VIEW = "How to show them"
MOVES = {"earlier": "Earlier", "later": "Later", "in": "Zoom in", "out": "Zoom out", "now": "Back to now"}
MOVE = "Move the charts through time"
SHOWN = "Shown"
TO = "to"
GAP = "no observations from a device"
PAUSE = "paused"
MARK = "what people did"
CSV = "Download as CSV"

NEWS2_CHART = "NEWS2 chart of the last observation sets"
PARAMETER = "Physiological parameter"
BAND = "Band"
POINTS = "Score"
SCALE = "scale"
NOT_READ = "not used for this patient"
OXYGEN = "oxygen"
AIR = "air"
ON_OXYGEN = "on O₂"
ON_AIR = "on air"
AGGREGATE = "NEWS2 total (! = 3 in one parameter)"
INCOMPLETE = "Incomplete set: the score lies in this range"
RED_SCORE = "3 points in one parameter"
NO_SETS = "No observation set of NEWS2 parameters in this time."
RCP = (
    "Reproduced from: Royal College of Physicians. National Early Warning Score (NEWS) 2: Standardising the assessment "
    "of acute-illness severity in the NHS. Updated report of a working party. London: RCP, 2017."
)

NO_PRESSURES = "No blood pressures in the last weeks."
AVERAGES = "Home blood pressure, averaged as NICE NG136 wants it"
AVERAGES_LEAD = "The last seven days with readings. The first day is discarded; the rest is averaged."
TOO_FEW_DAYS = "Fewer than four days: not enough for an average to rely on."
DAY = "Day"
MORNING = "Morning (before 12:00)"
EVENING = "Evening"
DISCARDED = "first day, discarded"
OVERALL = "All, without the first day"
READINGS = "readings"

PAUSES = "Pause"
OTHERS_SILENT = "What is missing has changed"
PAUSE_LEAD = "In hospital or away: what is measured is kept and scored, and nothing is overdue or sent."
PAUSE_REASONS = {"In hospital": "In hospital", "Away": "Away", "Other": "Other"}
PAUSE_LENGTHS = {24: "1 day", 72: "3 days", 168: "1 week", 336: "2 weeks", 672: "4 weeks"}
PAUSE_WHY = "Why"
PAUSE_NOTE = "More, for the record"
PAUSE_UNTIL = "For"
PAUSE_NOW = "Pause"
PAUSE_END = "End the pause now"
PAUSED = "Paused"
UNTIL = "until"
BY = "by"
PAUSE_SAID = {True: "Paused.", False: "The pause has ended."}
NOT_STORED = "Not stored: the database did not take it. Nothing was changed; try again."

OVERRIDE = "Limits changed"
DEVICE_GIVEN = "Given"
DEVICE_TAKEN = "Taken back"
LATE = "Late arrival"
PAUSE_BEGAN = "Paused"
PAUSE_LIFTED = "Pause ended early"
LAST_HEARD = "last heard"
NEVER_HEARD = "not heard in 30 days"

REPLAY = "Score it again"
REPLAY_HINT = "Runs the rules over the stored observations and says whether the same comes out"

LIMITS = "Limits of their own"
LIMITS_LEAD = "Within what the policy permits. Nothing here silences a hard limit."
LIMITS_NONE = "The policy of this pathway permits no limits of a person's own."
LIMITS_REASON = "Reason"
LIMITS_PREVIEW = "Preview on the last 14 days"
LIMITS_SAVE = "Put in force"
LIMITS_SAVED = "In force from now on."
LIMITS_NEED_REASON = "Write a reason: it stands in the record."
POLICY_SAYS = "policy"
USUAL_NEWS2 = "Usual NEWS2"
TARGET = "Target saturation"
AS_POLICY = "as the policy has it"
NOW_RULES = "As now"
DRAFT_RULES = "With the change"
ALERTS = "alerts"
