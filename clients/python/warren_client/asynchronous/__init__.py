"""The client for programs with an event loop. `warren_client.blocking` is written from it."""
