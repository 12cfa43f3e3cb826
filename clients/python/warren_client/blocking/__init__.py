"""The client for other programs, written from `warren_client.asynchronous`."""
