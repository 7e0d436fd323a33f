"""Ray's job server, from afar: send a study, follow it, stop it."""
