-- Names in mixed case, with blanks and reserved words; a boolean, a float, and the rest in JSON.
CREATE SCHEMA "Casino";
CREATE TABLE "Casino"."Game Rounds" (
    "roundId" text PRIMARY KEY, "user" varchar(32) NOT NULL, "order" integer, finished boolean NOT NULL,
    "totalBet" double precision, "startTime" timestamptz NOT NULL, "endTime" timestamptz, details jsonb NOT NULL);
INSERT INTO "Casino"."Game Rounds"
SELECT 'r.' || i, 'u' || i % 50, i, true, 0.1, now() - interval '30 days' + make_interval(secs => i), now() - interval '29 days',
       '{"jurisdiction": "MT", "currency": "EUR", "gameCode": "g1"}'
FROM generate_series(1, :filler) i;
INSERT INTO "Casino"."Game Rounds"
SELECT 'o.' || i, 'u' || i, i, false, 0.1 + i, CASE WHEN i = 3 THEN now() ELSE now() - interval '5 days' END, NULL,
       '{"jurisdiction": "SE", "currency": "SEK", "gameCode": "g2"}'
FROM generate_series(1, 3) i;
