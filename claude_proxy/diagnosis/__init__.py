"""Checks of the installation, the daemon, upstream and the account, for `claude-proxy doctor` and the page."""
