-- Fragment: the moment up to which the plan of the run `r` knew the operator's view: its `as_of`, or earlier where the
-- plan was read on a replica that was behind. What a player did later, the plan did not know.
coalesce((r.settings ->> 'view_at')::timestamptz, r.as_of)
