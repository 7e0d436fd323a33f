"""The course of a study and its records, free of Ray."""
