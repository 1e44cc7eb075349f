"""The words everyone shares: vital signs, observations, topics, episodes, and the database they meet in."""
