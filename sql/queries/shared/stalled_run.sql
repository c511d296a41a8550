-- Whether a run `r` has made no progress for as long as its policy says. One that was planned by an older version says
-- nothing of that.
coalesce(r.progressed_at, r.started_at, r.as_of)
    < statement_timestamp() - coalesce((r.settings ->> 'stalled_after')::interval, interval '30 minutes')
