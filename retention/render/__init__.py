"""Values as people and programs read them: terminal, CSV, JSON."""
