"""What clinicians and carers see: the FastAPI application, its Dash pages, the JSON API and FHIR."""
