-- Fragment: when the run `r` last made progress: a round of it came to an end, or the run started or was planned.
coalesce(r.progressed_at, r.started_at, r.as_of)
