"""The values a study is made of: trials, fronts, budgets, and how they are named. Nothing here reads or writes."""
