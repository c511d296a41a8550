-- Approvals: a run of a policy that requires approval starts only for a set of rounds that another person has approved.
-- The functions below write the columns of an approval, and a trigger on `runs` lets such a run start. The job's login
-- has no right to these columns, so no way in leads around them. They raise RT002 with a code as the message.

-- `requested_login` is the database login that made the run; runs of earlier versions have none.
ALTER TABLE retention.runs
    ADD COLUMN requested_login      text,
    -- The digest of the plan, which a person approves. Written once, when the plan is frozen.
    ADD COLUMN plan_digest          text CHECK (plan_digest ~ '^[0-9a-f]{64}$'),
    ADD COLUMN approved_at          timestamptz,
    ADD COLUMN approved_login       text,
    ADD COLUMN approval_expires_at  timestamptz,
    -- When the approval let the run start. An approval is used once, and its run may then be resumed.
    ADD COLUMN approval_used_at     timestamptz,
    ADD COLUMN rejected_by          text,
    ADD COLUMN rejected_at          timestamptz,
    ADD COLUMN decision_note        text;

ALTER TABLE retention.runs ALTER COLUMN requested_login SET DEFAULT session_user;

-- A sealed plan has its rows: nobody may say afterwards that it is not written.
ALTER TABLE retention.runs ADD CONSTRAINT runs_sealed_is_written CHECK (plan_digest IS NULL OR unwritten_plan IS NULL);

-- A run that waits for its approval is unfinished, too.
DROP INDEX retention.runs_unfinished;
CREATE INDEX runs_unfinished ON retention.runs (as_of)
    WHERE status IN ('planned', 'running', 'awaiting_approval') OR paused;

-- Whether a run with these settings must be approved.
CREATE FUNCTION retention.requires_approval(settings jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(settings -> 'requires_approval' = 'true'::jsonb, false)
$$;

-- The code points of a text. Without an encoding, the database keeps the bytes of UTF-8.
CREATE FUNCTION retention.code_points(given text) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bytes bytea := convert_to(given, getdatabaseencoding());
    points integer[] := '{}';
    byte integer;
BEGIN
    FOR place IN 0..length(bytes) - 1 LOOP
        byte := get_byte(bytes, place);
        IF byte BETWEEN 128 AND 191 AND cardinality(points) > 0 THEN
            points[cardinality(points)] := (points[cardinality(points)] << 6) | (byte & 63);
        ELSE
            points := points || CASE WHEN byte < 128 THEN byte WHEN byte < 224 THEN byte & 31
                                     WHEN byte < 240 THEN byte & 15 ELSE byte & 7 END;
        END IF;
    END LOOP;
    RETURN points;
END
$$;

-- A person's name as it is compared: without case, outer blanks, invisible characters and Unicode form. Under the
-- locale C `lower` knows ASCII alone, so the pairs of Unicode 16's case folding stand here: code points from `first` to
-- `last`, each `step`-th, become `delta` more, followed by `tail`. The server has its own tables for NFKC, but only in
-- UTF8; without an encoding, texts are compared in the form in which they were typed.
CREATE FUNCTION retention.fold_name(name text) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    composes boolean := getdatabaseencoding() = 'UTF8';
    points integer[];
BEGIN
    points := retention.code_points(CASE WHEN composes THEN normalize(name, NFKC) ELSE name END);
    -- Control and format characters, fillers, variation selectors.
    SELECT array_agg(p.point ORDER BY p.place) INTO points
    FROM unnest(points) WITH ORDINALITY AS p (point, place)
    WHERE NOT EXISTS (
        SELECT FROM (VALUES
            (0, 31), (127, 159), (173, 173), (847, 847), (1536, 1541), (1564, 1564), (1757, 1757), (1807, 1807),
            (2192, 2193), (2274, 2274), (4447, 4448), (6155, 6159), (8203, 8207), (8234, 8238), (8288, 8303),
            (10240, 10240), (12644, 12644), (65024, 65039), (65279, 65279), (65440, 65440), (65529, 65531),
            (69821, 69821), (69837, 69837), (78896, 78911), (113824, 113827), (119155, 119162), (917504, 921599)
        ) AS unseen (first, last)
        WHERE p.point BETWEEN unseen.first AND unseen.last);
    SELECT array_agg(f.point ORDER BY p.place, f.place) INTO points
    FROM unnest(points) WITH ORDINALITY AS p (point, place)
    LEFT JOIN (
        SELECT first, last, step, delta, '{}'::integer[] AS tail
        FROM (VALUES
            (65, 90, 1, 32), (192, 214, 1, 32), (216, 222, 1, 32), (256, 302, 2, 1), (308, 310, 2, 1),
            (313, 317, 2, 1), (321, 327, 2, 1), (330, 374, 2, 1), (376, 376, 1, -121), (377, 381, 2, 1),
            (385, 385, 1, 210), (386, 388, 2, 1), (390, 390, 1, 206), (391, 391, 1, 1), (393, 394, 1, 205),
            (395, 395, 1, 1), (398, 398, 1, 79), (399, 399, 1, 202), (400, 400, 1, 203), (401, 401, 1, 1),
            (403, 403, 1, 205), (404, 404, 1, 207), (406, 406, 1, 211), (407, 407, 1, 209), (408, 408, 1, 1),
            (412, 412, 1, 211), (413, 413, 1, 213), (415, 415, 1, 214), (416, 420, 2, 1), (422, 422, 1, 218),
            (423, 423, 1, 1), (425, 425, 1, 218), (428, 428, 1, 1), (430, 430, 1, 218), (431, 431, 1, 1),
            (433, 434, 1, 217), (435, 437, 2, 1), (439, 439, 1, 219), (440, 440, 1, 1), (444, 444, 1, 1),
            (461, 475, 2, 1), (478, 494, 2, 1), (500, 500, 1, 1), (502, 502, 1, -97), (503, 503, 1, -56),
            (504, 542, 2, 1), (544, 544, 1, -130), (546, 562, 2, 1), (570, 570, 1, 10795), (571, 571, 1, 1),
            (573, 573, 1, -163), (574, 574, 1, 10792), (577, 577, 1, 1), (579, 579, 1, -195), (580, 580, 1, 69),
            (581, 581, 1, 71), (582, 590, 2, 1), (837, 837, 1, 116), (880, 882, 2, 1), (886, 886, 1, 1),
            (895, 895, 1, 116), (902, 902, 1, 38), (904, 906, 1, 37), (908, 908, 1, 64), (910, 911, 1, 63),
            (913, 929, 1, 32), (931, 939, 1, 32), (962, 962, 1, 1), (975, 975, 1, 8), (984, 1006, 2, 1),
            (1015, 1015, 1, 1), (1018, 1018, 1, 1), (1021, 1023, 1, -130), (1024, 1039, 1, 80), (1040, 1071, 1, 32),
            (1120, 1152, 2, 1), (1162, 1214, 2, 1), (1216, 1216, 1, 15), (1217, 1229, 2, 1), (1232, 1326, 2, 1),
            (1329, 1366, 1, 48), (4256, 4293, 1, 7264), (4295, 4295, 1, 7264), (4301, 4301, 1, 7264),
            (5112, 5117, 1, -8), (7296, 7296, 1, -6222), (7297, 7297, 1, -6221), (7298, 7298, 1, -6212),
            (7299, 7300, 1, -6210), (7301, 7301, 1, -6211), (7302, 7302, 1, -6204), (7303, 7303, 1, -6180),
            (7304, 7304, 1, 35267), (7305, 7305, 1, 1), (7312, 7354, 1, -3008), (7357, 7359, 1, -3008),
            (7680, 7828, 2, 1),
            (7840, 7934, 2, 1), (7944, 7951, 1, -8), (7960, 7965, 1, -8), (7976, 7983, 1, -8), (7992, 7999, 1, -8),
            (8008, 8013, 1, -8), (8025, 8031, 2, -8), (8040, 8047, 1, -8), (8120, 8121, 1, -8), (8122, 8122, 1, -74),
            (8136, 8138, 2, -86), (8152, 8153, 1, -8), (8154, 8154, 1, -100), (8168, 8169, 1, -8),
            (8170, 8170, 1, -112), (8172, 8172, 1, -7), (8184, 8184, 1, -128), (8186, 8186, 1, -126),
            (8498, 8498, 1, 28), (8579, 8579, 1, 1), (11264, 11311, 1, 48), (11360, 11360, 1, 1),
            (11362, 11362, 1, -10743), (11363, 11363, 1, -3814), (11364, 11364, 1, -10727), (11367, 11371, 2, 1),
            (11373, 11373, 1, -10780), (11374, 11374, 1, -10749), (11375, 11375, 1, -10783),
            (11376, 11376, 1, -10782), (11378, 11378, 1, 1), (11381, 11381, 1, 1), (11390, 11391, 1, -10815),
            (11392, 11490, 2, 1), (11499, 11501, 2, 1), (11506, 11506, 1, 1), (42560, 42604, 2, 1),
            (42624, 42650, 2, 1), (42786, 42798, 2, 1), (42802, 42862, 2, 1), (42873, 42875, 2, 1),
            (42877, 42877, 1, -35332), (42878, 42886, 2, 1), (42891, 42891, 1, 1), (42893, 42893, 1, -42280),
            (42896, 42898, 2, 1), (42902, 42920, 2, 1), (42922, 42922, 1, -42308), (42923, 42923, 1, -42319),
            (42924, 42924, 1, -42315), (42925, 42925, 1, -42305), (42926, 42926, 1, -42308),
            (42928, 42928, 1, -42258), (42929, 42929, 1, -42282), (42930, 42930, 1, -42261), (42931, 42931, 1, 928),
            (42932, 42946, 2, 1), (42948, 42948, 1, -48), (42949, 42949, 1, -42307), (42950, 42950, 1, -35384),
            (42951, 42953, 2, 1), (42955, 42955, 1, -42343), (42956, 42956, 1, 1), (42960, 42960, 1, 1),
            (42966, 42970, 2, 1), (42972, 42972, 1, -42561), (42997, 42997, 1, 1),
            (43888, 43967, 1, -38864), (66560, 66599, 1, 40), (66736, 66771, 1, 40), (66928, 66964, 2, 39),
            (66929, 66937, 2, 39), (66941, 66953, 2, 39), (66957, 66961, 2, 39), (66965, 66965, 1, 39),
            (68736, 68786, 1, 64), (68944, 68965, 1, 32), (71840, 71871, 1, 32), (93760, 93791, 1, 32),
            (125184, 125217, 1, 34)
        ) AS single (first, last, step, delta)
        UNION ALL
        SELECT first, last, step, delta, tail::integer[]
        FROM (VALUES
            (223, 223, 1, -108, '{115}'), (304, 304, 1, -199, '{775}'), (496, 496, 1, -390, '{780}'),
            (912, 912, 1, 41, '{776,769}'), (944, 944, 1, 21, '{776,769}'), (7830, 7830, 1, -7726, '{817}'),
            (7831, 7831, 1, -7715, '{776}'), (7832, 7832, 1, -7713, '{778}'), (7833, 7833, 1, -7712, '{778}'),
            (7838, 7838, 1, -7723, '{115}'), (8016, 8016, 1, -7051, '{787}'), (8018, 8018, 1, -7053, '{787,768}'),
            (8020, 8020, 1, -7055, '{787,769}'), (8022, 8022, 1, -7057, '{787,834}'), (8064, 8071, 1, -128, '{953}'),
            (8072, 8079, 1, -136, '{953}'), (8080, 8087, 1, -112, '{953}'), (8088, 8095, 1, -120, '{953}'),
            (8096, 8103, 1, -64, '{953}'), (8104, 8111, 1, -72, '{953}'), (8114, 8114, 1, -66, '{953}'),
            (8115, 8115, 1, -7170, '{953}'), (8116, 8116, 1, -7176, '{953}'), (8118, 8118, 1, -7173, '{834}'),
            (8119, 8119, 1, -7174, '{834,953}'), (8124, 8124, 1, -7179, '{953}'), (8130, 8130, 1, -78, '{953}'),
            (8131, 8131, 1, -7180, '{953}'), (8132, 8132, 1, -7190, '{953}'), (8134, 8134, 1, -7183, '{834}'),
            (8135, 8135, 1, -7184, '{834,953}'), (8140, 8140, 1, -7189, '{953}'), (8146, 8146, 1, -7193, '{776,768}'),
            (8150, 8150, 1, -7197, '{834}'), (8151, 8151, 1, -7198, '{776,834}'), (8162, 8162, 1, -7197, '{776,768}'),
            (8164, 8164, 1, -7203, '{787}'), (8166, 8166, 1, -7201, '{834}'), (8167, 8167, 1, -7202, '{776,834}'),
            (8178, 8178, 1, -118, '{953}'), (8179, 8179, 1, -7210, '{953}'), (8180, 8180, 1, -7206, '{953}'),
            (8182, 8182, 1, -7213, '{834}'), (8183, 8183, 1, -7214, '{834,953}'), (8188, 8188, 1, -7219, '{953}')
        ) AS several (first, last, step, delta, tail)
    ) r ON p.point BETWEEN r.first AND r.last AND (p.point - r.first) % r.step = 0
    CROSS JOIN LATERAL unnest((p.point + coalesce(r.delta, 0)) || coalesce(r.tail, '{}'))
        WITH ORDINALITY AS f (point, place);
    IF composes THEN
        SELECT retention.code_points(normalize(string_agg(chr(p.point), '' ORDER BY p.place), NFKC)) INTO points
        FROM unnest(points) WITH ORDINALITY AS p (point, place);
    END IF;
    SELECT coalesce(array_agg(p.point ORDER BY p.place), '{}') INTO points
    FROM (
        SELECT point, place, bool_or(visible) OVER (ORDER BY place) AND bool_or(visible) OVER (ORDER BY place DESC)
               AS inside
        FROM unnest(points) WITH ORDINALITY AS u (point, place),
             LATERAL (SELECT NOT (point IN (32, 160, 5760, 8239, 8287, 12288) OR point BETWEEN 8192 AND 8202
                                  OR point BETWEEN 8232 AND 8233) AS visible) v
    ) p
    WHERE p.inside;
    RETURN points;
END
$$;

-- The digest that a person approves, SHA-256 in hex: of the frozen settings, `as_of`, and the run's rounds in the order
-- of their bytes. A row is a JSON array of texts, which keeps its fields apart. Rows are hashed by the ten thousand,
-- because a text of all rows could exceed 1 GB.
CREATE FUNCTION retention.plan_digest(of_run uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT encode(sha256(convert_to(to_json(ARRAY[
        'plan', '1', r.settings::text, to_char(r.as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), (
            SELECT encode(sha256(string_agg(part.hash, ''::bytea ORDER BY part.number)), 'hex')
            FROM (
                SELECT c.place / 10000 AS number, sha256(convert_to(
                    string_agg(to_json(ARRAY[c.partner, c.round_id, c.user_id, c.game_id, c.stake::text,
                                             c.stake_currency])::text, E'\n' ORDER BY c.place),
                    getdatabaseencoding())) AS hash
                FROM (
                    SELECT
                        partner, round_id, user_id, game_id, stake, stake_currency,
                        row_number() OVER (ORDER BY partner COLLATE "C", round_id COLLATE "C", id) - 1 AS place
                    FROM retention.cancellations WHERE run_id = of_run
                ) c
                GROUP BY c.place / 10000
            ) part)
    ])::text, getdatabaseencoding())), 'hex')
    FROM retention.runs r WHERE r.run_id = of_run
$$;

-- Seals the plan of a run: its digest is written, and the job adds no rows to it any more. A plan that is not written
-- yet, or is sealed, stays as it is: then there is no row. The lock waits for transactions that have added rows.
CREATE FUNCTION retention.seal_plan(of_run uuid) RETURNS SETOF retention.runs
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM retention.runs WHERE run_id = of_run FOR UPDATE;
    RETURN QUERY UPDATE retention.runs
    SET plan_digest = retention.plan_digest(of_run),
        approval_expires_at = CASE
            WHEN mode = 'enforce' AND retention.requires_approval(settings)
            THEN clock_timestamp() + coalesce((settings ->> 'approval_expires')::interval, interval '24 hours') END
    WHERE run_id = of_run AND plan_digest IS NULL AND unwritten_plan IS NULL
    RETURNING *;
END
$$;

-- Why a person may not decide on a run, as a code; NULL where the person may. `digest` is the beginning of the digest
-- that the person means, or NULL.
CREATE FUNCTION retention.decision_refused(run retention.runs, by_name text, digest text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN run.run_id IS NULL THEN 'no_run'
        WHEN coalesce(retention.fold_name(by_name), '{}') = '{}' THEN 'blank_name'
        WHEN run.rejected_at IS NOT NULL THEN 'rejected'
        WHEN run.status <> 'awaiting_approval' THEN 'not_awaiting'
        WHEN (run.approval_expires_at > clock_timestamp()) IS NOT TRUE THEN 'expired'
        WHEN digest !~ '^[0-9a-f]{12,64}$' OR NOT starts_with(run.plan_digest, digest) THEN 'other_digest'
        WHEN retention.fold_name(by_name) = retention.fold_name(run.requested_by) THEN 'own_request'
        WHEN run.settings ->> 'approval' = 'authenticated' AND (session_user <> run.requested_login) IS NOT TRUE
            THEN 'own_login'
    END
$$;

-- Records that the person `by_name` approves the plan of this digest, or returns why not. `decided` is the changed run.
CREATE FUNCTION retention.approve_run(
    of_run uuid, by_name text, digest text, note text, OUT verdict text, OUT decided retention.runs)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT * INTO decided FROM retention.runs WHERE run_id = of_run FOR UPDATE;
    verdict := retention.decision_refused(decided, by_name, coalesce(digest, ''));
    IF verdict IS NULL AND decided.approved_at IS NOT NULL THEN
        verdict := 'approved_already';
    ELSIF verdict IS NULL AND retention.plan_digest(of_run) IS DISTINCT FROM decided.plan_digest THEN
        verdict := 'plan_changed';
    ELSIF verdict IS NULL THEN
        UPDATE retention.runs
        SET approved_by = by_name, approved_at = clock_timestamp(), approved_login = session_user, decision_note = note
        WHERE run_id = of_run
        RETURNING * INTO decided;
        verdict := 'approved';
    END IF;
END
$$;

-- Records that the person `by_name` rejects a run, and cancels it with `ended_for` as its halt_reason, or returns why
-- not.
CREATE FUNCTION retention.reject_run(
    of_run uuid, by_name text, digest text, note text, ended_for text, replica text,
    OUT verdict text, OUT decided retention.runs)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT * INTO decided FROM retention.runs WHERE run_id = of_run FOR UPDATE;
    verdict := retention.decision_refused(decided, by_name, digest);
    IF verdict IS NULL THEN
        UPDATE retention.runs
        SET rejected_by = by_name, rejected_at = clock_timestamp(), decision_note = note,
            status = 'cancelled', halt_reason = ended_for, finished_at = clock_timestamp(), ended_by = replica,
            notified = false
        WHERE run_id = of_run
        RETURNING * INTO decided;
        verdict := 'rejected_now';
    END IF;
END
$$;

-- The gate: a run that requires approval enters `running` by an approval of the rows that it has at that moment, or
-- after it has used one. A run that is over does not start again.
CREATE FUNCTION retention.guard_start() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    problem text;
BEGIN
    IF NOT retention.requires_approval(NEW.settings) THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'INSERT' THEN
        problem := 'approval_none';
    ELSIF OLD.status IN ('finished', 'cancelled') THEN
        problem := 'run_is_over';
    ELSIF NEW.approval_used_at IS NULL THEN
        problem := CASE
            WHEN NEW.rejected_at IS NOT NULL THEN 'approval_rejected'
            WHEN NEW.mode <> 'enforce' OR NEW.approved_at IS NULL OR NEW.approved_by IS NULL THEN 'approval_none'
            WHEN (NEW.approval_expires_at > clock_timestamp()) IS NOT TRUE THEN 'approval_expired'
            WHEN retention.fold_name(NEW.approved_by) IN ('{}', retention.fold_name(NEW.requested_by))
                THEN 'approval_own_request'
            WHEN NEW.settings ->> 'approval' = 'authenticated'
                 AND (NEW.approved_login <> NEW.requested_login) IS NOT TRUE THEN 'approval_own_login'
            WHEN NEW.settings IS DISTINCT FROM OLD.settings OR NEW.as_of IS DISTINCT FROM OLD.as_of
                 OR NEW.run_id IS DISTINCT FROM OLD.run_id
                 OR retention.plan_digest(NEW.run_id) IS DISTINCT FROM NEW.plan_digest THEN 'approval_plan_changed'
        END;
        NEW.approval_used_at := clock_timestamp();
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'RT002', MESSAGE = problem;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER runs_guard_start BEFORE INSERT OR UPDATE OF status ON retention.runs
    FOR EACH ROW WHEN (NEW.status = 'running') EXECUTE FUNCTION retention.guard_start();

-- Only an owner adds rows to a sealed plan, and such rows change the digest, which the gate and the audit find. The
-- lock makes rows and seal follow each other: it also fails where an old snapshot does not show the seal.
CREATE FUNCTION retention.guard_plan() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RETURN NULL;
    END IF;
    PERFORM FROM retention.runs r
    WHERE r.run_id IN (SELECT DISTINCT a.run_id FROM added a)
    FOR SHARE;
    IF EXISTS (
        SELECT FROM retention.runs r
        WHERE r.run_id IN (SELECT DISTINCT a.run_id FROM added a) AND r.plan_digest IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'RT002', MESSAGE = 'plan_sealed';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER cancellations_guard_plan AFTER INSERT ON retention.cancellations
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION retention.guard_plan();

-- No run adopts a row of a plan without an approval: it would send the round in that plan's stead. Nor does a run that
-- requires an approval adopt anything once its plan is sealed: the person who approves it has not seen that.
CREATE FUNCTION retention.guard_adoption() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM retention.runs r
        WHERE r.run_id = NEW.run_id AND retention.requires_approval(r.settings) AND r.approval_used_at IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'RT002', MESSAGE = 'approval_none';
    END IF;
    IF EXISTS (
        SELECT FROM retention.runs r
        WHERE r.run_id = NEW.adopted_by_run AND retention.requires_approval(r.settings)
          AND r.plan_digest IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'RT002', MESSAGE = 'plan_sealed';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER cancellations_guard_adoption BEFORE INSERT OR UPDATE OF adopted_by_run ON retention.cancellations
    FOR EACH ROW WHEN (NEW.adopted_by_run IS NOT NULL) EXECUTE FUNCTION retention.guard_adoption();

REVOKE ALL ON FUNCTION
    retention.requires_approval(jsonb), retention.code_points(text), retention.fold_name(text),
    retention.plan_digest(uuid), retention.seal_plan(uuid),
    retention.decision_refused(retention.runs, text, text), retention.approve_run(uuid, text, text, text),
    retention.reject_run(uuid, text, text, text, text, text),
    retention.guard_start(), retention.guard_plan(), retention.guard_adoption()
    FROM PUBLIC;
