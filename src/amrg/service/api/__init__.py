"""The HTTP API, version 1, under /api/v1: OpenAPI 3.1, errors as problem+json (RFC 9457)."""
