"""The steps of the database's tables, oldest first; a released step is never changed."""
