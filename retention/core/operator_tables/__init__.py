"""Proposes the operator's view, function, indexes and roles from the facts about one table. Pure: facts in, SQL out."""
