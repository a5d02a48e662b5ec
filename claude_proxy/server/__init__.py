"""The HTTP surface: who may come in, what goes out, one file per endpoint."""
