"""Which words does somebody read whose session ended while they were writing?"""

from __future__ import annotations

ENDED = "Your session has ended. Sign in again to go on."
ENDED_KEPT = "Your session has ended. What you had not saved is kept in this tab: sign in again and it is put back."
PUT_BACK = "You were signed out before this was saved. It is put back where you wrote it: read it, then save it."
NOT_PUT_BACK = "You were signed out before this was saved, and its place is not open. Copy it from here:"
CLOSE = "Close"
