"""`docker compose up` for real: the file as written, with the official images or, where no registry can be reached, stand-ins from packages."""
