-- Fragment: fails the whole statement where the operator's function closed rounds that it was not asked to close.
FROM unasked WHERE retention.refuse_closing(%(unasked)s || rounds)
