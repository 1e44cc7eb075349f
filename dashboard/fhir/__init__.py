"""FHIR R4 under ``/fhir/R4``: what is stored, for other systems to read, with the same rights as the pages."""
