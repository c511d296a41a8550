-- Fragment: whether a notification may be due for the report `p`: it is made, has failed, or was missed.
NOT p.notified AND p.status IN ('made', 'failed', 'missed')
