"""Which words ask before something replaces what somebody has written?"""

from __future__ import annotations

NOT_SIGNED = "You have written in {boxes}, and it is not signed."
NOT_IN_FORCE = "You have changed the draft of a new version, and it is not in force."
NOT_SAVED = "You have written in {boxes}, and it is not saved."
KEEP = "Keep what I wrote"
REPLACE = "Replace it with {by}"
RECORD = "what the record says now"
MORE = "What you have written since then is not saved yet."
NOTE_MORE = f"Saved. {MORE}"
