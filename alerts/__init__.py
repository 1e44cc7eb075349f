"""The vectorised core: NEWS2, alarm limits, schedules and episodes as pure functions on arrays."""
