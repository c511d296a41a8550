-- No state: a round without an end is open. Markets by a table of licences, two accounts at the vendor, real stakes.
CREATE TABLE public.licences (id integer PRIMARY KEY, code text NOT NULL);
INSERT INTO public.licences VALUES (1, 'MT'), (2, 'GB');
CREATE TABLE public.brands (id integer PRIMARY KEY, partner text NOT NULL, licence_id integer NOT NULL REFERENCES public.licences);
INSERT INTO public.brands VALUES (1, 'acme', 1), (2, 'beta', 2);
CREATE TABLE public.hands (
    hand_id varchar(36) PRIMARY KEY, brand_id integer NOT NULL REFERENCES public.brands, customer_id integer NOT NULL,
    stake real, currency_code text, created timestamptz NOT NULL, closed_at timestamptz, is_deleted boolean);
INSERT INTO public.hands
SELECT 'h' || i, i % 2 + 1, i, 1, 'EUR', now() - interval '30 days' + make_interval(secs => i), now() - interval '29 days'
FROM generate_series(1, :filler) i;
INSERT INTO public.hands
SELECT 'open' || i, 1, i, 12345.67, 'EUR', now() - interval '5 days', NULL, CASE WHEN i = 3 THEN true END FROM generate_series(1, 3) i;
