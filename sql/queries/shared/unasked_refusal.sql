-- Undoes the whole statement where the operator's function closed rounds that it was not asked about.
FROM unasked WHERE retention.refuse_closing('it returned rounds that it was not asked to close, or one twice: ' || rounds)
