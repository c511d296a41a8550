-- A run that makes no progress is told, rounds that were tried before do not keep new ones from their turn, and the pause
-- of one partner stops the calls to that partner alone.
ALTER TABLE retention.runs
    -- When a round last came to an end by this run; NULL: not yet. Without progress for so long as its policy says, the run
    -- has stalled, from that moment on.
    ADD COLUMN progressed_at timestamptz,
    ADD COLUMN stalled_at    timestamptz,
    -- As `recent`, for rounds that an earlier run has tried: what cannot succeed is no reason to stop the others.
    ADD COLUMN recent_again  text NOT NULL DEFAULT '' CHECK (recent_again ~ '^[01]{0,200}$'),
    -- Of a run that a pause has halted: the partners for whom it waits.
    ADD COLUMN paused_for    text[] NOT NULL DEFAULT '{}';

UPDATE retention.runs
SET paused_for = ARRAY(SELECT jsonb_array_elements_text(settings -> 'partners'))
WHERE paused AND jsonb_typeof(settings -> 'partners') = 'array';

ALTER TABLE retention.cancellations
    -- An earlier run has tried this round, and it ended without a cancellation.
    ADD COLUMN tried_before boolean NOT NULL DEFAULT false;
