"""The same study by a simulated clock, over recorded trainings."""
