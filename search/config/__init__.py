"""The file a person writes, read or refused in one line."""
