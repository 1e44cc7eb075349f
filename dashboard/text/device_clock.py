"""The words for how a device's clock goes."""

UNKNOWN = "–"
UNSET = "Not set"
RIGHT = "Right"
AHEAD = "{} ahead"
BEHIND = "{} behind, or sent late"
