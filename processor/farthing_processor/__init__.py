"""The cost engine: facts of a call in, exact cost, status and attributes out. Knows no client."""
