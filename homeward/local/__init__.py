"""Private TimescaleDB and Mosquitto: fetched, unpacked, started and stopped without touching the system."""
