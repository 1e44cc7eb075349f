"""Which words do people read where a latched episode waits for its reset?"""

from __future__ import annotations

WAITS = "Its condition is over; it stays until somebody resets it"
RESET = "Reset"
DONE = "Reset"
REASON = "Why it can be reset"
REASON_HINT = "For the record; needed for a reset"
REASON_EMPTY = "Write why it can be reset first."
NOT_WAITING = "It does not wait for a reset any more: its condition is back, or somebody has reset it."
FAILED = "Not stored: the database did not take it. Nothing was changed; try again."
