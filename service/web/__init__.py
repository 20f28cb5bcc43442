"""The pages people look at; they get every figure from the API."""
