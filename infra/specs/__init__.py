"""What is generated from the code: OpenAPI, AsyncAPI, JSON schema, TypeScript, the state chart."""
