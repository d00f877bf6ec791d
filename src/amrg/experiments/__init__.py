"""Many runs as one: sweeps and reproductions. Knows no service."""
