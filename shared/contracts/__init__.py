"""Wire formats: pydantic models with camelCase names in JSON and snake_case in Python."""
