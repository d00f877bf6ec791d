"""The commands of the service, a file a command, and what they share."""
