-- Fragment: whether the run `r` waits for an approval, or has one and waits for its start. Until then it keeps its
-- rounds.
(r.status = 'awaiting_approval' AND r.approval_expires_at > statement_timestamp())
