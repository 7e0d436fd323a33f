"""SQL: our tables beside Optuna's, in one database, behind one translation of errors."""
