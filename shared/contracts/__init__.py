"""What travels: pydantic models, camelCase outside and snake_case inside."""
