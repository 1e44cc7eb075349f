"""What does an operator see when an installation cannot be set up or started?"""


class SetupError(Exception):
    """One sentence that says what is wrong and what to do; commands print it and exit with `exit_code`."""

    exit_code = 1


class SettingsError(SetupError):
    """A setting in the environment that cannot be used."""

    exit_code = 2
