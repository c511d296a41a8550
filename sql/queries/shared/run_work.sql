-- Fragment: the rows of a run `r`, as a relation: its own that no later run adopted, and the rows that it adopted.
(
    SELECT c.partner, c.market, c.game_id, c.opened_at, c.state, c.due_at, c.adopted_by_run
    FROM retention.cancellations c
    WHERE c.run_id = r.run_id AND c.adopted_by_run IS NULL
    UNION ALL
    SELECT c.partner, c.market, c.game_id, c.opened_at, c.state, c.due_at, c.adopted_by_run
    FROM retention.cancellations c
    WHERE c.adopted_by_run = r.run_id
)
