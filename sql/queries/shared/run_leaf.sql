-- Fragment: the hash of the run `r` in evidence.
encode(sha256(convert_to(
    -- include shared/run_text.sql
, 'UTF8')), 'base64')
