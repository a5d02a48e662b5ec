"""The daemon as a background process of this user."""
