"""By which ways can a message go? A module a way; each takes a message and returns, or raises `DeliveryError`."""
