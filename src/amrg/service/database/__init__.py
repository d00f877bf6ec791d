"""What the service remembers: tables, sessions, migrations. SQLite by default, PostgreSQL by one setting."""
