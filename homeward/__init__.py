"""The command line, the settings and the wiring of a whole Homeward installation."""
