-- UUIDs as ids of rounds and players, an enum, soft deletes, the currency in a wallet, the country in the player's row.
CREATE TYPE public.round_state AS ENUM ('pending_result', 'in_progress', 'completed', 'cancelled');
CREATE TABLE public.users (id uuid PRIMARY KEY, country_code char(2) NOT NULL, email text);
CREATE TABLE public.wallets (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES public.users, currency char(3) NOT NULL);
CREATE TABLE public.game_rounds (
    id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES public.users, wallet_id uuid NOT NULL REFERENCES public.wallets,
    game_slug text, state public.round_state NOT NULL, stake numeric(18, 4), created_at timestamptz NOT NULL,
    ended_at timestamptz, deleted_at timestamptz);
INSERT INTO public.users SELECT md5('u' || i)::uuid, CASE WHEN i % 2 = 0 THEN 'MT' ELSE 'SE' END FROM generate_series(1, 60) i;
INSERT INTO public.wallets SELECT md5('w' || i)::uuid, md5('u' || i)::uuid, 'SEK' FROM generate_series(1, 60) i;
INSERT INTO public.game_rounds
SELECT md5('r' || i)::uuid, md5('u' || i % 60 + 1)::uuid, md5('w' || i % 60 + 1)::uuid, 'book-of-' || i % 7,
       CASE WHEN i % 9 = 0 THEN 'cancelled' ELSE 'completed' END::public.round_state, 1.5,
       now() - interval '30 days' + make_interval(secs => i), now() - interval '29 days'
FROM generate_series(1, :filler) i;
INSERT INTO public.game_rounds
SELECT md5('open' || i)::uuid, md5('u2')::uuid, md5('w2')::uuid, 'book-of-1', 'in_progress', i, now() - interval '5 days', NULL,
       CASE WHEN i = 3 THEN now() END
FROM generate_series(1, 3) i;
INSERT INTO public.game_rounds
SELECT md5('fresh')::uuid, md5('u2')::uuid, md5('w2')::uuid, 'book-of-1', 'in_progress', 1, now();
