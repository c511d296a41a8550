-- Fragment: whether the run `r` has made no progress for its policy's `stalled_after`, which older settings lack.
(
    -- include shared/last_progress.sql
) < statement_timestamp() - coalesce((r.settings ->> 'stalled_after')::interval, interval '30 minutes')
