"""The documentation of the faults file, which `retention simulate --help` prints.

This module imports nothing, because every `--help` imports it. A test compares it with the keys in `fault_keys.py`.
"""

FORMAT = """\
The file of faults is TOML. Times are seconds, or texts: "250ms", "2s", "1m".

What the vendor is like, before the first fault:
  seed = 7                another seed draws other shares and jitters
  idempotent = false      a cancelled round is cancelled again when asked
  reverses = true         a completed round is cancelled as well
  names_round = true      the reply to a cancel has the roundId, as since 2025
  accept_delay = "2s"     a new connection is first read after so long
  handshake_delay = "2s"  so much longer until its TLS handshake; this command
                          has no TLS and refuses it, tests have

Each fault is a table that starts with a line [[fault]], says whom it strikes,
and does one thing. The first table that fits a request strikes it, no other.

Whom it strikes; what is left out fits all:
  call = "CancelRound"    this unless given; GetRoundStatus, GetGameRounds,
                          HealthCheck, any
  credentials = "right"   or wrong, any
  round_ids = ["1", "a*"] with the wildcards * and ?
  share = 0.1             a tenth of the requests, as the seed draws
  first = 3               the first 3 requests; such faults in turn: a script
  first_per_round = 1     the first request of each round
  after_seconds = "10s"   from so long after the start
  for_seconds = "1m"      and for so long

What it does instead of the call, or besides with effect = true:
  status = 503            an HTTP status, with a body = "..." and
                          with headers = { Retry-After = "2" } if given
  code = "54"             an error code, with a description = "..." if given
  reply = { error = "0" } a reply of these fields
  body = "<html>"         a reply of this text, with HTTP status 200
  redirect = "http://x"   a redirect to there
  oversize = true         a success of 70,000 bytes; with effect unless false

What it does to the call:
  delay = "2s"            the call waits, then has its effect and is answered;
                          with jitter = "1s" up to so much longer
  stall = "5s"            from this request on no reply to anything leaves for
                          so long, then all at once; what is asked meanwhile
                          has its effect at once. One stall follows the other;
                          there is one where first = 1
  cut = "before"          the connection is reset before the effect, or after;
                          middle: after the effect, within the reply
  hang = "before"         there is no reply, and no effect; after: an effect
  complete = true         the player finishes the round just before the call
  repeat = true           a cancelled round is cancelled again
  reverse = true          a completed round is cancelled

What it does to the reply of a call that is carried out:
  amount = "1e400"        written for the amount as it stands, JSON or not
  winnings = "NaN"        written for winAmount, as a text or as a number;
                          call is GetRoundStatus unless given
  other_round = true      roundId names another round than the one asked about
  hide = ["1", "a*"]      GetGameRounds does not list these rounds
  shift = 1               so many rounds slip by between two pages of it;
                          call is GetGameRounds unless given, with both
  omit = ["amount"]       leaves fields out
  replace = { amount = 1 } writes other values into fields that are there"""
