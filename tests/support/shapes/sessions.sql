-- Rounds that are numbered within a session, states as bare numbers, times without a zone, no market anywhere.
CREATE TABLE public.sessions (id bigint PRIMARY KEY, player_ref varchar(32) NOT NULL, currency varchar(3) NOT NULL);
CREATE TABLE public.plays (
    session_id bigint NOT NULL REFERENCES public.sessions, round_no integer NOT NULL, game_id integer NOT NULL,
    state smallint NOT NULL, bet_cents bigint NOT NULL, begun_at timestamp NOT NULL, finished_at timestamp,
    UNIQUE (session_id, round_no));
INSERT INTO public.sessions SELECT i, 'ref' || i, 'eur' FROM generate_series(1, 400) i;
INSERT INTO public.plays
SELECT i % 400 + 1, i, i % 9, i % 2 + 2, 100, now() AT TIME ZONE 'UTC' - interval '30 days' + make_interval(secs => i),
       now() AT TIME ZONE 'UTC' - interval '29 days'
FROM generate_series(1, :filler) i;
INSERT INTO public.plays
SELECT i, 1000001, 7, 1, 100 * i, now() AT TIME ZONE 'UTC' - interval '74 hours', NULL FROM generate_series(1, 3) i;
INSERT INTO public.plays SELECT 4, 1000001, 7, 1, 100, now() AT TIME ZONE 'UTC' - interval '70 hours', NULL;
