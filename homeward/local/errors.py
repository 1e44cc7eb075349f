"""What does an operator see when an installation cannot be set up or started?"""


class SetupError(Exception):
    """One sentence that says what is wrong and what to do; commands print it and exit with a code other than 0."""
