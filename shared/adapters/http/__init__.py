"""HTTP requests and responses of the REST functions."""
