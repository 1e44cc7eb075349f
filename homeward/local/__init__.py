"""Private TimescaleDB and Mosquitto: fetched, unpacked, started and stopped without touching the system."""

from homeward.local.errors import SettingsError, SetupError

__all__ = ["SettingsError", "SetupError"]
