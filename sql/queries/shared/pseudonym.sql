-- Fragment: `u.user_id` as a keyed hash: HMAC-SHA-256 with the ledger's key `k`. A pseudonym stays as it is.
CASE WHEN u.user_id ~ '^pseudonym:[A-Za-z0-9_-]{22}$' THEN u.user_id
     ELSE 'pseudonym:' || left(translate(encode(
         sha256(k.outer_pad || sha256(k.inner_pad || convert_to(u.user_id, 'UTF8'))), 'base64'), '+/', '-_'), 22) END
