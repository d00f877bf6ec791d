"""The processes of the service: how each starts, runs its jobs and ends."""
