"""The paths by which load balancers and orchestrators find out whether a producer serves."""

# They are asked often, by any address and without a key, and tell nothing else.
PROBES = frozenset(("/health", "/ping", "/v2/health/live", "/v2/health/ready"))
