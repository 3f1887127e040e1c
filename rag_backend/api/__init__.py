"""The assistant over HTTP, for who is on this machine. `create_app` puts it together; `serve` listens."""
