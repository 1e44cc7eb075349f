"""The way in: broker and HTTP to one writer, and quarantine for what cannot be understood."""
