UPDATE retention.runs
SET halted_partners = array_append(halted_partners, %(partner)s)
WHERE run_id = %(run_id)s AND %(partner)s <> ALL (halted_partners)
RETURNING run_id
