"""How is somebody told of an episode? The service that reads the outbox and speaks to the world outside.

It stands in this package, above all others, because it wires ways to the outside into an installation, as `up` does
with servers; but it knows neither ingest nor the dashboard, and meets them in the database (a contract in `make lint`).
What it decides (who is told when) is pure and lies in `alerts`.
"""
