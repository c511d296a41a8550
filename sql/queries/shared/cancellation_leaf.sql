-- Fragment: the hash of the cancellation `c` in evidence, with the ledger's key `k`.
encode(sha256(convert_to(
    -- include shared/cancellation_text.sql
, 'UTF8')), 'base64')
