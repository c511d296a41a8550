-- Fragment: free words `t.words` as a report shows them. With the parameter `pseudonymise`, the row's own `u.user_id`
-- is replaced in them as shared/shown_user_id.sql replaces it. It has to stand there as a whole word, and to have four
-- characters at least: a shorter one occurs by chance. Ids of other users stay, since no row names them.
CASE WHEN %(pseudonymise)s::boolean AND length(u.user_id) >= 4 AND position(u.user_id IN t.words) > 0
     THEN regexp_replace(
         t.words,
         '(?<![[:alnum:]_])' || regexp_replace(u.user_id, '([^[:alnum:]_])', '\\\1', 'g') || '(?![[:alnum:]_])',
         -- include shared/shown_user_id.sql
         , 'g')
     ELSE t.words END
