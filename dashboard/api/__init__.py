"""The JSON interface under ``/api/v1``: for programs, with the same sign-ins and the same rights as the pages."""
